"""Firmware images and the rules by which they are pushed."""

import json
from dataclasses import dataclass, replace

from sqlalchemy import Engine, Row, delete, select, update
from sqlalchemy.exc import IntegrityError

from .tables import firmware_pieces, firmwares, push_rules, upgrades

# A download in the middle reads no more than it sends, and a row stays small.
_PIECE = 65536


@dataclass(frozen=True)
class Firmware:
    """`kind` is 1 (module) or 2 (MCU); `key` and `signature` are hex digits, or ""; `id` 0 before it is added."""

    product_key: str
    kind: int
    hard_version: str
    soft_version: str
    name: str
    size: int
    md5: str
    sha256: str
    key: str
    signature: str
    added_at: float
    test_did: str = ""
    verified_at: float | None = None
    id: int = 0


@dataclass(frozen=True)
class PushRule:
    """Empty lists are for all; `from_minute` and `to_minute` of the cloud's day, the same for all of it."""

    firmware_id: int
    starts_at: float
    from_versions: tuple[str, ...] = ()
    macs: tuple[str, ...] = ()
    ends_at: float | None = None
    from_minute: int = 0
    to_minute: int = 0
    percent: int = 100
    is_running: bool = True
    id: int = 0


class Firmwares:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, firmware: Firmware, content: bytes) -> Firmware | None:
        """The firmware with its id; None when there is one of the same product, kind and versions."""
        row = {name: value for name, value in vars(firmware).items() if name != "id"}
        try:
            with self._engine.begin() as connection:
                key = connection.execute(firmwares.insert().values(**row)).inserted_primary_key
                number = int(key[0]) if key else 0
                pieces = [content[at : at + _PIECE] for at in range(0, len(content), _PIECE)]
                connection.execute(
                    firmware_pieces.insert(),
                    [{"firmware_id": number, "number": n, "content": piece} for n, piece in enumerate(pieces)],
                )
        except IntegrityError:
            return None
        return replace(firmware, id=number)

    def get(self, number: int) -> Firmware | None:
        with self._engine.begin() as connection:
            row = connection.execute(select(firmwares).where(firmwares.c.id == number)).first()
        return Firmware(**row._mapping) if row else None

    def all(self) -> list[Firmware]:
        with self._engine.begin() as connection:
            return [Firmware(**row._mapping) for row in connection.execute(select(firmwares).order_by(firmwares.c.id))]

    def of(self, product_key: str, kind: int, hard_version: str) -> list[Firmware]:
        """Everything for this hardware, the newest software first."""
        query = select(firmwares).where(
            firmwares.c.product_key == product_key,
            firmwares.c.kind == kind,
            firmwares.c.hard_version == hard_version,
        )
        with self._engine.begin() as connection:
            found = [Firmware(**row._mapping) for row in connection.execute(query)]
        # Not by the database: some sort letters as a dictionary does, modules compare them as ASCII.
        return sorted(found, key=lambda firmware: firmware.soft_version, reverse=True)

    def read(self, number: int, offset: int, size: int) -> bytes:
        """`size` bytes of the image, fewer at its end."""
        first, last = offset // _PIECE, (offset + size) // _PIECE
        query = (
            select(firmware_pieces.c.content)
            .where(firmware_pieces.c.firmware_id == number, firmware_pieces.c.number.between(first, last))
            .order_by(firmware_pieces.c.number)
        )
        with self._engine.begin() as connection:
            content = b"".join(connection.execute(query).scalars())
        start = offset - first * _PIECE
        return content[start : start + size]

    def set_test(self, number: int, did: str) -> None:
        """It is tried on this device first."""
        self._set(number, test_did=did)

    def set_verified(self, number: int, at: float) -> None:
        """The device it was tried on runs it."""
        self._set(number, verified_at=at)

    def remove(self, number: int) -> bool:
        """With its rules and results; False when there is none."""
        with self._engine.begin() as connection:
            for table in (upgrades, push_rules, firmware_pieces):
                connection.execute(delete(table).where(table.c.firmware_id == number))
            return connection.execute(delete(firmwares).where(firmwares.c.id == number)).rowcount > 0

    def add_rule(self, rule: PushRule) -> PushRule:
        """The rule with its id."""
        row = {name: value for name, value in vars(rule).items() if name != "id"}
        row.update(from_versions=json.dumps(rule.from_versions), macs=json.dumps(rule.macs))
        with self._engine.begin() as connection:
            key = connection.execute(push_rules.insert().values(**row)).inserted_primary_key
        return replace(rule, id=int(key[0]) if key else 0)

    def rule(self, rule_id: int) -> PushRule | None:
        with self._engine.begin() as connection:
            row = connection.execute(select(push_rules).where(push_rules.c.id == rule_id)).first()
        return _rule(row) if row else None

    def rules(self, firmware_id: int) -> list[PushRule]:
        query = select(push_rules).where(push_rules.c.firmware_id == firmware_id).order_by(push_rules.c.id)
        with self._engine.begin() as connection:
            return [_rule(row) for row in connection.execute(query)]

    def running_rules(self) -> list[PushRule]:
        query = select(push_rules).where(push_rules.c.is_running.is_(True)).order_by(push_rules.c.id)
        with self._engine.begin() as connection:
            return [_rule(row) for row in connection.execute(query)]

    def set_running(self, rule_id: int, is_running: bool) -> bool:
        """Starts or stops a rule; False when there is none."""
        query = update(push_rules).where(push_rules.c.id == rule_id).values(is_running=is_running)
        with self._engine.begin() as connection:
            return connection.execute(query).rowcount > 0

    def _set(self, number: int, **columns: object) -> None:
        with self._engine.begin() as connection:
            connection.execute(update(firmwares).where(firmwares.c.id == number).values(**columns))


def _rule(row: Row) -> PushRule:
    values = dict(row._mapping)
    values.update(from_versions=tuple(json.loads(row.from_versions)), macs=tuple(json.loads(row.macs)))
    return PushRule(**values)
