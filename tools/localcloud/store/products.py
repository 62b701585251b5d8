"""Products and apps: what the operator adds by command."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Engine, delete, select, update

from .tables import apps, products

BOOLS = ("number", "literal")


@dataclass(frozen=True)
class Product:
    """`definition` is the JSON text of the datapoints; `bools` says how a bool is shown: 0 and 1, or false and true.

    `sharing`: a device of it has an owner, and nobody else binds it without the owner's consent.
    """

    product_key: str
    name: str
    secret: str
    definition: str
    bools: str = "number"
    sharing: bool = False


@dataclass(frozen=True)
class App:
    """`secret` is None when only the id is known."""

    app_id: str
    name: str
    secret: str | None = None


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
            row = connection.execute(select(*_COLUMNS).where(products.c.product_key == product_key)).first()
        return Product(*row) if row else None

    def all(self) -> list[Product]:
        with self._engine.begin() as connection:
            return [Product(*row) for row in connection.execute(select(*_COLUMNS).order_by(products.c.name))]

    def names(self, product_keys: Iterable[str]) -> dict[str, str]:
        """What apps call these products; an unknown one is missing."""
        query = select(products.c.product_key, products.c.name).where(products.c.product_key.in_(set(product_keys)))
        with self._engine.begin() as connection:
            return {row.product_key: row.name for row in connection.execute(query)}

    def put_app(self, app: App) -> None:
        """Adds the app, or renames it; its secret stays when no other is given."""
        columns = {name: value for name, value in vars(app).items() if value is not None}
        with self._engine.begin() as connection:
            if connection.execute(update(apps).where(apps.c.app_id == app.app_id).values(**columns)).rowcount == 0:
                connection.execute(apps.insert().values(**columns))

    def app_secret(self, app_id: str) -> str | None:
        """The secret of an app, None when it is not known."""
        with self._engine.begin() as connection:
            return connection.execute(select(apps.c.secret).where(apps.c.app_id == app_id)).scalar()

    def has_app(self, app_id: str) -> bool:
        with self._engine.begin() as connection:
            return connection.execute(select(apps.c.app_id).where(apps.c.app_id == app_id)).first() is not None

    def all_apps(self) -> list[App]:
        with self._engine.begin() as connection:
            return [App(*row) for row in connection.execute(select(apps).order_by(apps.c.name))]


_COLUMNS = [products.c[name] for name in Product.__dataclass_fields__]
