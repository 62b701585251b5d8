"""How far each device is with the firmware it was told of."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, Select, case, delete, func, select, update
from sqlalchemy.exc import IntegrityError

from .tables import devices, upgrades

# Told that there is something; has asked and was offered it; says how far it is; runs it; said that it failed.
NOTICED = "noticed"
OFFERED = "offered"
UNDER_WAY = "under way"
DONE = "done"
FAILED = "failed"
STATES = (NOTICED, OFFERED, UNDER_WAY, DONE, FAILED)

_MAX_DETAIL = 128


@dataclass(frozen=True)
class Upgrade:
    """`at` is when it was last heard of, `noticed_at` when the device was last told of it, 0 for never."""

    did: str
    firmware_id: int
    state: str
    percent: int
    detail: str
    at: float
    noticed_at: float


@dataclass(frozen=True)
class Result(Upgrade):
    """With the address of the device."""

    mac: str


@dataclass(frozen=True)
class Summary:
    """How many devices are in which state, and how far they are on average."""

    counts: dict[str, int]
    percent: int

    @property
    def total(self) -> int:
        return sum(self.counts.values())


# Who needs a look comes first.
_ORDER = case({FAILED: 0, UNDER_WAY: 1, OFFERED: 2, NOTICED: 3, DONE: 4}, value=upgrades.c.state)


class Upgrades:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def get(self, did: str, firmware_id: int) -> Upgrade | None:
        query = select(upgrades).where(upgrades.c.did == did, upgrades.c.firmware_id == firmware_id)
        with self._engine.begin() as connection:
            row = connection.execute(query).first()
        return Upgrade(*row) if row else None

    def open_of(self, did: str) -> list[Upgrade]:
        """What the device was told of and does not run yet, the last first."""
        query = select(upgrades).where(upgrades.c.did == did, upgrades.c.state != DONE).order_by(upgrades.c.at.desc())
        with self._engine.begin() as connection:
            return [Upgrade(*row) for row in connection.execute(query)]

    def summary(self, firmware_id: int) -> Summary:
        query = (
            select(upgrades.c.state, func.count(), func.sum(upgrades.c.percent))
            .where(upgrades.c.firmware_id == firmware_id)
            .group_by(upgrades.c.state)
        )
        with self._engine.begin() as connection:
            found = {state: (count, percent) for state, count, percent in connection.execute(query)}
        counts = {state: found[state][0] for state in STATES if state in found}
        return Summary(counts, sum(percent for _, percent in found.values()) // max(sum(counts.values()), 1))

    def results(self, firmware_id: int) -> list[Result]:
        """Every device that was told of it: who failed first, who is done last."""
        with self._engine.begin() as connection:
            return [Result(*row) for row in connection.execute(_results(firmware_id))]

    def page_of_results(self, firmware_id: int, skip: int, limit: int) -> list[Result]:
        """Some of them."""
        with self._engine.begin() as connection:
            return [Result(*row) for row in connection.execute(_results(firmware_id).offset(skip).limit(limit))]

    def settled(self, firmware_id: int, since: float) -> set[str]:
        """The devices that need not be told: they run it, or were told since then."""
        query = select(upgrades.c.did).where(
            upgrades.c.firmware_id == firmware_id, (upgrades.c.state == DONE) | (upgrades.c.noticed_at > since)
        )
        with self._engine.begin() as connection:
            return set(connection.execute(query).scalars())

    def tell_again(self, did: str, firmware_id: int) -> None:
        """The device is told at the next occasion, whenever it was told last."""
        query = update(upgrades).where(upgrades.c.did == did, upgrades.c.firmware_id == firmware_id)
        with self._engine.begin() as connection:
            connection.execute(query.values(noticed_at=0.0))

    def forget(self, did: str, firmware_id: int) -> None:
        """It is no longer to come."""
        query = delete(upgrades).where(upgrades.c.did == did, upgrades.c.firmware_id == firmware_id)
        with self._engine.begin() as connection:
            connection.execute(query)

    def put(self, did: str, firmware_id: int, state: str, percent: int, detail: str, at: float) -> None:
        """The latest of this device and firmware."""
        values = {"state": state, "percent": percent, "detail": detail[:_MAX_DETAIL], "at": at}
        if state == OFFERED:
            # Who has just heard of it needs no notice, least of all in the middle of the download.
            values["noticed_at"] = at
        query = update(upgrades).where(upgrades.c.did == did, upgrades.c.firmware_id == firmware_id).values(**values)
        row = {"did": did, "firmware_id": firmware_id, "noticed_at": 0.0, **values}
        with self._engine.begin() as connection:
            known = connection.execute(query).rowcount
        if known:
            return
        try:
            with self._engine.begin() as connection:
                connection.execute(upgrades.insert().values(**row))
        except IntegrityError:  # another worker was faster, or the firmware was removed
            with self._engine.begin() as connection:
                connection.execute(query)

    def may_notice(self, did: str, firmware_id: int, now: float, every_s: float) -> bool:
        """Whether the device is to be told now: by one worker, and only so often."""
        row = {"did": did, "firmware_id": firmware_id, "state": NOTICED, "percent": 0, "detail": "", "at": now}
        query = (
            update(upgrades)
            .where(
                upgrades.c.did == did,
                upgrades.c.firmware_id == firmware_id,
                upgrades.c.state != DONE,
                upgrades.c.noticed_at <= now - every_s,
            )
            .values(noticed_at=now)
        )
        with self._engine.begin() as connection:
            if connection.execute(query).rowcount:
                return True
        try:
            with self._engine.begin() as connection:
                connection.execute(upgrades.insert().values(**row, noticed_at=now))
        except IntegrityError:
            return False
        return True


def _results(firmware_id: int) -> Select[Any]:
    mac = func.coalesce(devices.c.mac, "")
    return (
        select(upgrades, mac)
        .outerjoin(devices, devices.c.did == upgrades.c.did)
        .where(upgrades.c.firmware_id == firmware_id)
        .order_by(_ORDER, upgrades.c.did)
    )
