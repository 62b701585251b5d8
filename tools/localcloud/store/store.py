"""The whole store: one database, the queries of each kind."""

from pathlib import Path

from sqlalchemy import URL, Engine

from .backup import restore_backup, write_backup
from .bindings import Bindings
from .codes import Codes
from .database import open_database
from .deliveries import Deliveries
from .devices import Devices
from .firmware import Firmwares
from .history import History
from .intake import Intake
from .leases import Leases
from .operators import Operators
from .people import People
from .products import Products
from .retention import Retention
from .sessions import AppSessions, DeviceSessions
from .upgrades import Upgrades
from .users import Users


class Store:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.products = Products(engine)
        self.operators = Operators(engine)
        self.users = Users(engine)
        self.codes = Codes(engine)
        self.people = People(engine)
        self.devices = Devices(engine)
        self.bindings = Bindings(engine)
        self.history = History(engine)
        self.retention = Retention(engine)
        self.intake = Intake(engine)
        self.deliveries = Deliveries(engine)
        self.leases = Leases(engine)
        self.firmware = Firmwares(engine)
        self.upgrades = Upgrades(engine)
        self.device_sessions = DeviceSessions(engine)
        self.app_sessions = AppSessions(engine)

    def write_backup(self, data_dir: Path, path: Path) -> dict[str, int]:
        """Everything in one file: table -> rows; StoreError when it cannot be written."""
        return write_backup(self._engine, data_dir, path)

    def restore_backup(self, data_dir: Path, path: Path) -> dict[str, int]:
        """Fills an empty store from such a file: table -> rows; StoreError when it cannot be."""
        return restore_backup(self._engine, data_dir, path)

    def close(self) -> None:
        self._engine.dispose()


def open_store(url: str | URL) -> Store:
    """The store behind a SQLAlchemy URL; StoreError when it cannot be used."""
    return Store(open_database(url))
