"""Version 2 of the tables: people with a phone or an e-mail address, several workers, sharing."""

import sqlalchemy as sa
from alembic.operations import Operations


def upgrade(op: Operations) -> None:
    op.create_table(
        "app_sessions",
        sa.Column("client", sa.String(length=64), nullable=False),
        sa.Column("did", sa.String(length=22), nullable=False),
        sa.Column("worker", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("client", "did"),
    )
    op.create_index("app_sessions_by_device", "app_sessions", ["did"], unique=False)
    op.create_table(
        "app_tokens",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("app_id", sa.String(length=32), nullable=False),
        sa.Column("expire_at", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("token_hash"),
    )
    op.create_table(
        "codes",
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("subject", sa.String(length=254), nullable=False),
        sa.Column("code_hash", sa.String(length=64), nullable=False),
        sa.Column("uid", sa.String(length=32), nullable=True),
        sa.Column("tries_left", sa.Integer(), nullable=False),
        sa.Column("expire_at", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "subject"),
    )
    op.create_table(
        "deliveries",
        sa.Column("session", sa.String(length=40), nullable=False),
        sa.Column("place", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("packet_id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("session", "place"),
    )
    op.create_table(
        "device_files",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("did", sa.String(length=22), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_index("device_files_by_device", "device_files", ["did", "at"], unique=False)
    op.create_index("device_files_by_time", "device_files", ["at"], unique=False)
    op.create_table(
        "device_sessions",
        sa.Column("did", sa.String(length=22), nullable=False),
        sa.Column("since", sa.Float(), nullable=False),
        sa.Column("ip", sa.String(length=45), nullable=False),
        sa.Column("listening_at", sa.Float(), nullable=True),
        sa.Column("free_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("did"),
    )
    op.create_table(
        "leases",
        sa.Column("session", sa.String(length=40), nullable=False),
        sa.Column("holder", sa.String(length=40), nullable=False),
        sa.Column("expires_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("session"),
    )
    op.create_table(
        "operators",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("password_hash", sa.String(length=256), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "sent_codes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("address", sa.String(length=254), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("expire_at", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "third_parties",
        sa.Column("src", sa.String(length=16), nullable=False),
        sa.Column("third_uid", sa.String(length=128), nullable=False),
        sa.Column("uid", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["uid"],
            ["users.uid"],
        ),
        sa.PrimaryKeyConstraint("src", "third_uid"),
    )
    op.add_column("apps", sa.Column("secret", sa.String(length=128), nullable=True))
    op.add_column("bindings", sa.Column("dev_label", sa.Text(), server_default="[]", nullable=False))
    op.add_column("bindings", sa.Column("bound_at", sa.Float(), server_default="0", nullable=False))
    op.create_index("bindings_by_user", "bindings", ["uid", "id"], unique=False)
    op.create_index(
        "devices_in_use",
        "devices",
        ["product_key", "mac_key"],
        unique=True,
        sqlite_where=sa.text("is_disabled IS 0 AND mac_key != ''"),
        postgresql_where=sa.text("is_disabled IS false AND mac_key != ''"),
    )
    op.add_column("products", sa.Column("sharing", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("users", sa.Column("phone", sa.String(length=32), nullable=True))
    op.add_column("users", sa.Column("email", sa.String(length=254), nullable=True))
    op.add_column("users", sa.Column("is_email_active", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("users", sa.Column("name", sa.String(length=128), server_default="", nullable=False))
    op.add_column("users", sa.Column("gender", sa.String(length=1), server_default="N", nullable=False))
    op.add_column("users", sa.Column("birthday", sa.String(length=10), server_default="", nullable=False))
    op.add_column("users", sa.Column("address", sa.String(length=256), server_default="", nullable=False))
    op.add_column("users", sa.Column("remark", sa.String(length=256), server_default="", nullable=False))
    op.create_index("users_by_email", "users", ["email"], unique=True)
    op.create_index("users_by_phone", "users", ["phone"], unique=True)
