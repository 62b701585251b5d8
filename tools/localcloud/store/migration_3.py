"""Version 3 of the tables: firmware over the air."""

import sqlalchemy as sa
from alembic.operations import Operations


def upgrade(op: Operations) -> None:
    op.create_table(
        "firmwares",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("product_key", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.Integer(), nullable=False),
        sa.Column("hard_version", sa.String(length=8), nullable=False),
        sa.Column("soft_version", sa.String(length=8), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("md5", sa.String(length=32), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("signature", sa.String(length=128), nullable=False),
        sa.Column("added_at", sa.Float(), nullable=False),
        sa.Column("test_did", sa.String(length=22), nullable=False),
        sa.Column("verified_at", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("product_key", "kind", "hard_version", "soft_version"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "firmware_pieces",
        sa.Column("firmware_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["firmware_id"], ["firmwares.id"]),
        sa.PrimaryKeyConstraint("firmware_id", "number"),
    )
    op.create_table(
        "push_rules",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("firmware_id", sa.Integer(), nullable=False),
        sa.Column("from_versions", sa.Text(), nullable=False),
        sa.Column("macs", sa.Text(), nullable=False),
        sa.Column("starts_at", sa.Float(), nullable=False),
        sa.Column("ends_at", sa.Float(), nullable=True),
        sa.Column("from_minute", sa.Integer(), nullable=False),
        sa.Column("to_minute", sa.Integer(), nullable=False),
        sa.Column("percent", sa.Integer(), nullable=False),
        sa.Column("is_running", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["firmware_id"], ["firmwares.id"]),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "upgrades",
        sa.Column("did", sa.String(length=22), nullable=False),
        sa.Column("firmware_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("percent", sa.Integer(), nullable=False),
        sa.Column("detail", sa.String(length=128), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("noticed_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["firmware_id"], ["firmwares.id"]),
        sa.PrimaryKeyConstraint("did", "firmware_id"),
    )
    op.create_index("upgrades_by_firmware", "upgrades", ["firmware_id"], unique=False)
