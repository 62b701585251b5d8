"""The cloud's tables as version 1 had them, for the test that such a database is upgraded. Never changed."""

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData()

schema_info = Table("schema_info", metadata, Column("version", Integer, primary_key=True, autoincrement=False))

products = Table(
    "products",
    metadata,
    Column("product_key", String(32), primary_key=True),
    Column("name", String(128), nullable=False),
    # In clear: signatures are MD5 over it, so a hash of it would be of no use.
    Column("secret", String(32), nullable=False),
    Column("definition", Text, nullable=False),
    Column("bools", String(8), nullable=False),
)

apps = Table(
    "apps",
    metadata,
    Column("app_id", String(32), primary_key=True),
    Column("name", String(128), nullable=False),
)

users = Table(
    "users",
    metadata,
    Column("uid", String(32), primary_key=True),
    Column("username", String(128), unique=True),
    Column("password_hash", String(256)),
    Column("app_id", String(32)),
    Column("phone_id", String(128)),
    Column("lang", String(8), nullable=False),
    # Two apps may draw the same phone id; they are two people.
    UniqueConstraint("app_id", "phone_id"),
)

tokens = Table(
    "tokens",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("uid", String(32), ForeignKey("users.uid"), nullable=False),
    Column("expire_at", Integer, nullable=False),
    Index("tokens_by_expiry", "expire_at"),
)

devices = Table(
    "devices",
    metadata,
    Column("did", String(22), primary_key=True),
    # Empty in a stub: a device of which only the did is known yet.
    Column("product_key", String(32), nullable=False),
    Column("mac", String(32), nullable=False),
    Column("mac_key", String(32), nullable=False),
    Column("passcode", String(32), nullable=False),
    Column("is_disabled", Boolean, nullable=False),
    Column("wifi_hard_version", String(32)),
    Column("wifi_soft_version", String(32)),
    Column("mcu_hard_version", String(32)),
    Column("mcu_soft_version", String(32)),
    Column("attrs", Text, nullable=False),
    Column("attrs_at", Float, nullable=False),
    Index("devices_by_mac", "product_key", "mac_key"),
)

bindings = Table(
    "bindings",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("uid", String(32), ForeignKey("users.uid"), nullable=False),
    Column("did", String(22), ForeignKey("devices.did"), nullable=False),
    Column("role", String(8), nullable=False),
    Column("remark", String(256), nullable=False),
    Column("dev_alias", String(128), nullable=False),
    UniqueConstraint("uid", "did"),
    Index("bindings_by_did", "did"),
)

messages = Table(
    "messages",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("did", String(22), nullable=False),
    Column("at", Float, nullable=False),
    Column("type", String(8), nullable=False),
    Column("ip", String(45), nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Column("source", String(8)),
    Column("uid", String(32)),
    Column("app_id", String(32)),
    Index("messages_by_device", "did", "at"),
    Index("messages_by_time", "at"),
)

presence = Table(
    "presence",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("did", String(22), nullable=False),
    Column("at", Float, nullable=False),
    Column("type", String(16), nullable=False),
    Column("ip", String(45), nullable=False),
    Column("keep_alive", Integer),
    Column("duration", Float),
    Column("reason", String(48)),
    Index("presence_by_device", "did", "at"),
    Index("presence_by_time", "at"),
)
