"""Adding products, apps and users: the checks behind `localcloud product add` and its like."""

import json
import re
import secrets
from typing import Any

from mcu_proto.datapoint import Schema
from mcu_proto.errors import McuProtoError

from . import auth
from .errors import ApiError
from .store.products import BOOLS, App, Product
from .store.store import Store

_HEX_32 = re.compile(r"[0-9a-f]{32}")


class CatalogError(Exception):
    """What was given cannot be added; says what was expected."""


def add_product(
    store: Store, definition: dict[str, Any], secret: str, name: str = "", bools: str = "number", sharing: bool = False
) -> tuple[Product, bool]:
    """(the product, whether it is new). `definition` is what GET /app/datapoint serves."""
    if not isinstance(definition, dict):
        raise CatalogError("a product definition is a JSON object with product_key and entities")
    product_key = str(definition.get("product_key", "")).lower()
    if not _HEX_32.fullmatch(product_key):
        raise CatalogError("product_key of the definition: expected 32 hex digits")
    if not _HEX_32.fullmatch(secret.lower()):
        raise CatalogError("product secret: expected 32 hex digits")
    if bools not in BOOLS:
        raise CatalogError("bools: expected one of %s" % ", ".join(BOOLS))
    try:
        Schema.from_definition(definition)
    except McuProtoError as error:
        raise CatalogError("product definition: %s" % error) from None
    name = name or str(definition.get("name") or product_key)
    text = json.dumps({**definition, "product_key": product_key}, ensure_ascii=False)
    product = Product(product_key, name[:128], secret.lower(), text, bools, sharing)
    return product, store.products.put(product)


def add_transparent_product(store: Store, product_key: str) -> Product:
    """A product of which nothing but its key is known: its P0 passes undecoded; CatalogError for a bad key."""
    definition = {"name": "product " + product_key, "product_key": product_key, "protocolType": "custom"}
    return add_product(store, definition, secrets.token_hex(16))[0]


def add_app(store: Store, name: str = "", app_id: str = "", secret: str | None = None) -> App:
    """The app, with a new id when none is given; the app shows that it knows the secret when it asks for codes."""
    app_id = app_id.lower() or secrets.token_hex(16)
    if not _HEX_32.fullmatch(app_id):
        raise CatalogError("app id: expected 32 hex digits")
    if secret is not None and not 0 < len(secret) <= 128:
        raise CatalogError("app secret: expected 1 to 128 characters")
    app = App(app_id, name[:128], secret)
    store.products.put_app(app)
    return app


def add_user(store: Store, username: str, password: str) -> str:
    """The uid of a new user with a password."""
    if not 0 < len(username) <= 128 or not username.isprintable():
        raise CatalogError("user name: expected 1 to 128 printable characters")
    try:
        auth.check_strength(password)
    except ApiError as error:
        raise CatalogError(error.detail or "") from None
    is_free = store.users.by_name(username) is None
    user = store.users.add(username=username, password_hash=auth.hash_password(password)) if is_free else None
    if user is None:
        raise CatalogError("user name %s is taken" % username)
    return user.uid
