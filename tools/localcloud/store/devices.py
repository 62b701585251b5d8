"""Devices: who they are, which passcode they log in with, which versions and state they reported last."""

import json
import secrets
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine, Row, delete, func, select, update
from sqlalchemy.exc import IntegrityError

from .tables import devices, upgrades

# The 57 letters without look-alikes that most dids seen in the field are made of.
DID_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
DID_SIZE = 22

# The columns in which a device's two versions of a kind are kept; the kind is the `type` of the update check.
VERSIONS = {"1": ("wifi_hard_version", "wifi_soft_version"), "2": ("mcu_hard_version", "mcu_soft_version")}


@dataclass(frozen=True)
class Device:
    """`product_key`, `mac` and `passcode` are "" while they are not known; `attrs_at` is 0 before the first report."""

    did: str
    product_key: str
    mac: str
    mac_key: str
    passcode: str
    is_disabled: bool
    wifi_hard_version: str | None
    wifi_soft_version: str | None
    mcu_hard_version: str | None
    mcu_soft_version: str | None
    attrs: dict[str, Any]
    attrs_at: float


class Running(NamedTuple):
    """A device as rules see it; `mac` in lower case."""

    did: str
    mac: str
    soft_version: str


class Devices:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def get(self, did: str) -> Device | None:
        with self._engine.begin() as connection:
            row = connection.execute(select(devices).where(devices.c.did == did)).first()
        return device_of(row) if row else None

    def all(self) -> list[Device]:
        with self._engine.begin() as connection:
            return [device_of(row) for row in connection.execute(select(devices))]

    def of_product(self, product_key: str) -> list[Device]:
        """Those in use."""
        query = select(devices).where(devices.c.product_key == product_key, devices.c.is_disabled.is_(False))
        with self._engine.begin() as connection:
            return [device_of(row) for row in connection.execute(query)]

    def running_on(self, product_key: str, kind: int, hard_version: str) -> list[Running]:
        """Those in use that told of this hardware, and of the software on it."""
        hard, soft = (devices.c[name] for name in VERSIONS[str(kind)])
        query = select(devices.c.did, devices.c.mac_key, soft).where(
            devices.c.product_key == product_key,
            devices.c.is_disabled.is_(False),
            hard == hard_version,
            soft.is_not(None),
        )
        with self._engine.begin() as connection:
            return [Running(*row) for row in connection.execute(query)]

    def by_mac(self, product_key: str, mac: str) -> Device | None:
        """The device in use under that address; upper and lower case are the same."""
        query = select(devices).where(
            devices.c.product_key == product_key,
            devices.c.mac_key == mac.lower(),
            devices.c.is_disabled.is_(False),
        )
        with self._engine.begin() as connection:
            row = connection.execute(query).first()
        return device_of(row) if row else None

    def add(self, product_key: str, mac: str, passcode: str) -> str:
        """The did of a new device; of the one in use when another process was faster."""
        try:
            with self._engine.begin() as connection:
                return _insert(connection, _new_did(), product_key, mac, passcode)
        except IntegrityError:
            return self._winner(product_key, mac, passcode)

    def replace(self, old_did: str, product_key: str, mac: str, passcode: str) -> str:
        """Disables a device that was reset and gives the did of its successor, whoever made it."""
        try:
            with self._engine.begin() as connection:
                _disable(connection, old_did)
                return _insert(connection, _new_did(), product_key, mac, passcode)
        except IntegrityError:
            return self._winner(product_key, mac, passcode)

    def adopt(self, did: str) -> None:
        """Makes a stub: a device that owns a did of another cloud and of which nothing else is known."""
        with self._engine.begin() as connection:
            _insert(connection, did, "", "", "")

    def count_stubs(self) -> int:
        """How many devices have never shown a passcode."""
        query = select(func.count()).select_from(devices).where(devices.c.passcode == "")
        with self._engine.begin() as connection:
            return connection.execute(query).scalar_one()

    def learn(self, did: str, **columns: str) -> None:
        """Fills in what was learned of a device."""
        with self._engine.begin() as connection:
            connection.execute(update(devices).where(devices.c.did == did).values(**columns))

    def disable(self, did: str) -> None:
        """The device may no longer log in, and whoever is bound to it sees it among the disabled ones only."""
        with self._engine.begin() as connection:
            _disable(connection, did)

    def _winner(self, product_key: str, mac: str, passcode: str) -> str:
        """The did of the device in use, which another process has just registered."""
        device = self.by_mac(product_key, mac)
        # It may have been reset in the same moment.
        return device.did if device else self.add(product_key, mac, passcode)


def device_of(row: Row) -> Device:
    """The device in a row that has, among others, the columns of its table."""
    columns = {column.name: getattr(row, column.name) for column in devices.c}
    return Device(**{**columns, "attrs": json.loads(row.attrs)})


def _new_did() -> str:
    return "".join(secrets.choice(DID_ALPHABET) for _ in range(DID_SIZE))


def _insert(connection: Connection, did: str, product_key: str, mac: str, passcode: str) -> str:
    row = {"did": did, "product_key": product_key, "mac": mac, "mac_key": mac.lower(), "passcode": passcode}
    connection.execute(devices.insert().values(**row, is_disabled=False, attrs="{}", attrs_at=0.0))
    return did


def _disable(connection: Connection, did: str) -> None:
    connection.execute(update(devices).where(devices.c.did == did).values(is_disabled=True))
    # Nobody waits for its upgrades any more.
    connection.execute(delete(upgrades).where(upgrades.c.did == did))
