"""The whole store: one database, the queries of each kind."""

from sqlalchemy import URL, Engine

from .bindings import Bindings
from .database import open_database
from .devices import Devices
from .history import History
from .products import Products
from .users import Users


class Store:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.products = Products(engine)
        self.users = Users(engine)
        self.devices = Devices(engine)
        self.bindings = Bindings(engine)
        self.history = History(engine)

    def close(self) -> None:
        self._engine.dispose()


def open_store(url: str | URL) -> Store:
    """The store behind a SQLAlchemy URL; StoreError when it cannot be used."""
    return Store(open_database(url))
