"""Products and apps: what the operator adds by command."""

from dataclasses import dataclass

from sqlalchemy import Engine, delete, select

from .tables import apps, products

BOOLS = ("number", "literal")


@dataclass(frozen=True)
class Product:
    """`definition` is the JSON text of the datapoints; `bools` says how a bool is shown: 0 and 1, or false and true."""

    product_key: str
    name: str
    secret: str
    definition: str
    bools: str = "number"


@dataclass(frozen=True)
class App:
    app_id: str
    name: str


class Products:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def put(self, product: Product) -> bool:
        """Adds the product or replaces the one of that key; True when it is new."""
        with self._engine.begin() as connection:
            gone = connection.execute(delete(products).where(products.c.product_key == product.product_key))
            connection.execute(products.insert().values(**vars(product)))
        return gone.rowcount == 0

    def get(self, product_key: str) -> Product | None:
        with self._engine.begin() as connection:
            row = connection.execute(select(products).where(products.c.product_key == product_key)).first()
        return Product(*row) if row else None

    def all(self) -> list[Product]:
        with self._engine.begin() as connection:
            return [Product(*row) for row in connection.execute(select(products).order_by(products.c.name))]

    def put_app(self, app: App) -> None:
        """Adds the app or renames it."""
        with self._engine.begin() as connection:
            connection.execute(delete(apps).where(apps.c.app_id == app.app_id))
            connection.execute(apps.insert().values(**vars(app)))

    def has_app(self, app_id: str) -> bool:
        with self._engine.begin() as connection:
            return connection.execute(select(apps.c.app_id).where(apps.c.app_id == app_id)).first() is not None

    def all_apps(self) -> list[App]:
        with self._engine.begin() as connection:
            return [App(*row) for row in connection.execute(select(apps).order_by(apps.c.name))]
