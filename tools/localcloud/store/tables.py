"""The tables, in portable SQL types only: the same definition serves SQLite and, by URL, PostgreSQL.

Times are Unix seconds (UTC); those of the device's records keep the fraction, because the Open API shows it.
"""

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
    false,
)

# Raised with every change of the tables, which gets its step in `migrations`.
SCHEMA_VERSION = 3

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
    # Whether its devices have an owner, who alone lets others in.
    Column("sharing", Boolean, nullable=False, server_default=false()),
)

apps = Table(
    "apps",
    metadata,
    Column("app_id", String(32), primary_key=True),
    Column("name", String(128), nullable=False),
    # In clear, for the same reason. Unknown for an app that brought only its id.
    Column("secret", String(128)),
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
    Column("phone", String(32)),
    # In lower case.
    Column("email", String(254)),
    # Whether the owner of the address has followed a link that was sent there.
    Column("is_email_active", Boolean, nullable=False, server_default=false()),
    Column("name", String(128), nullable=False, server_default=""),
    Column("gender", String(1), nullable=False, server_default="N"),
    Column("birthday", String(10), nullable=False, server_default=""),
    Column("address", String(256), nullable=False, server_default=""),
    Column("remark", String(256), nullable=False, server_default=""),
    Index("users_by_phone", "phone", unique=True),
    Index("users_by_email", "email", unique=True),
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

# Who a user is at another company, which said so.
third_parties = Table(
    "third_parties",
    metadata,
    Column("src", String(16), primary_key=True),
    Column("third_uid", String(128), primary_key=True),
    Column("uid", String(32), ForeignKey("users.uid"), nullable=False),
)

app_tokens = Table(
    "app_tokens",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("app_id", String(32), nullable=False),
    Column("expire_at", Integer, nullable=False),
)

# What a person must know to go on: the code of an SMS ("sms", phone), of an image ("captcha", its id), of a link in a
# mail ("reset" or "activation", the hash of its secret part).
codes = Table(
    "codes",
    metadata,
    Column("kind", String(16), primary_key=True),
    Column("subject", String(254), primary_key=True),
    Column("code_hash", String(64), nullable=False),
    # Whose link it is.
    Column("uid", String(32)),
    Column("tries_left", Integer, nullable=False),
    Column("expire_at", Integer, nullable=False),
)

# What would have been sent if a sender were configured: the operator reads it to the person. Gone when it expires.
sent_codes = Table(
    "sent_codes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", Float, nullable=False),
    # "sms" or "email".
    Column("kind", String(16), nullable=False),
    Column("address", String(254), nullable=False),
    # The code, or the link.
    Column("code", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("expire_at", Integer, nullable=False),
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

# One device in use per address, whichever worker registers it. A stub has no address yet, a reset device had one.
_IN_USE = devices.c.is_disabled.is_(False) & (devices.c.mac_key != "")
Index(
    "devices_in_use",
    devices.c.product_key,
    devices.c.mac_key,
    unique=True,
    sqlite_where=_IN_USE,
    postgresql_where=_IN_USE,
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
    # A JSON list.
    Column("dev_label", Text, nullable=False, server_default="[]"),
    # 0: before this column was there.
    Column("bound_at", Float, nullable=False, server_default="0"),
    UniqueConstraint("uid", "did"),
    Index("bindings_by_did", "did"),
    # The pages of a user with ten thousand devices.
    Index("bindings_by_user", "uid", "id"),
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

# Who runs this cloud: one row, once a password of the web console is set.
operators = Table(
    "operators",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("password_hash", String(256), nullable=False),
)

# Who is logged in to the broker now; `presence` above says who was.
device_sessions = Table(
    "device_sessions",
    metadata,
    Column("did", String(22), primary_key=True),
    Column("since", Float, nullable=False),
    Column("ip", String(45), nullable=False),
    # When it subscribed to its commands; before that it loses them.
    Column("listening_at", Float),
    # When the next packet to it may go out.
    Column("free_at", Float, nullable=False),
)

# Which app session looks at which device, for the count that devices are told.
app_sessions = Table(
    "app_sessions",
    metadata,
    Column("client", String(64), primary_key=True),
    Column("did", String(22), primary_key=True),
    Column("worker", String(40), nullable=False),
    Index("app_sessions_by_device", "did"),
)

# Sessions of the workers on a shared broker: who holds each, and until when.
leases = Table(
    "leases",
    metadata,
    Column("session", String(40), primary_key=True),
    Column("holder", String(40), nullable=False),
    Column("expires_at", Float, nullable=False),
)

# What was done last per session and packet id, to know a message that comes again.
deliveries = Table(
    "deliveries",
    metadata,
    Column("session", String(40), primary_key=True),
    Column("place", Integer, primary_key=True, autoincrement=False),
    Column("packet_id", Integer, nullable=False),
    Column("digest", String(64), nullable=False),
)

# Large uploads: what a device sent in one envelope that is no P0.
device_files = Table(
    "device_files",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("did", String(22), nullable=False),
    Column("at", Float, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Index("device_files_by_device", "did", "at"),
    Index("device_files_by_time", "at"),
)

# Firmware images, offered to devices of a product by push rules. `signature` and `key` are "" when nobody signed.
firmwares = Table(
    "firmwares",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("product_key", String(32), nullable=False),
    # 1 of the module, 2 of the MCU.
    Column("kind", Integer, nullable=False),
    Column("hard_version", String(8), nullable=False),
    Column("soft_version", String(8), nullable=False),
    Column("name", String(64), nullable=False),
    Column("size", Integer, nullable=False),
    Column("md5", String(32), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("key", String(64), nullable=False),
    Column("signature", String(128), nullable=False),
    Column("added_at", Float, nullable=False),
    # The device it is tried on, and when that one ran it; before that it is pushed to no other.
    Column("test_did", String(22), nullable=False),
    Column("verified_at", Float),
    UniqueConstraint("product_key", "kind", "hard_version", "soft_version"),
    # A number is part of an address under which devices download: it never comes to mean another image.
    sqlite_autoincrement=True,
)

# In pieces: a download that goes on in the middle reads only the rest.
firmware_pieces = Table(
    "firmware_pieces",
    metadata,
    Column("firmware_id", Integer, ForeignKey("firmwares.id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("content", LargeBinary, nullable=False),
)

push_rules = Table(
    "push_rules",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("firmware_id", Integer, ForeignKey("firmwares.id"), nullable=False),
    # JSON lists: software versions it is for, addresses it is for; empty for all.
    Column("from_versions", Text, nullable=False),
    Column("macs", Text, nullable=False),
    Column("starts_at", Float, nullable=False),
    Column("ends_at", Float),
    # Of the cloud's day, in minutes; the same for the whole day.
    Column("from_minute", Integer, nullable=False),
    Column("to_minute", Integer, nullable=False),
    Column("percent", Integer, nullable=False),
    Column("is_running", Boolean, nullable=False),
    sqlite_autoincrement=True,
)

# How far each device is with each firmware it was told of.
upgrades = Table(
    "upgrades",
    metadata,
    Column("did", String(22), primary_key=True),
    Column("firmware_id", Integer, ForeignKey("firmwares.id"), primary_key=True, autoincrement=False),
    Column("state", String(16), nullable=False),
    Column("percent", Integer, nullable=False),
    Column("detail", String(128), nullable=False),
    Column("at", Float, nullable=False),
    Column("noticed_at", Float, nullable=False),
    Index("upgrades_by_firmware", "firmware_id"),
)
