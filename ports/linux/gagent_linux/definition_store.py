"""Datapoint definitions: from a file, or from the cloud and then kept. Open API manual, GET /app/datapoint.

A definition is checked before it is used or kept, and what is wrong with it names the attribute. What is kept lies in
`STATE/definitions/PRODUCT_KEY.json` as the cloud sent it; a file there that cannot be used is as good as none.
"""

import json
import os
import re
from dataclasses import dataclass
from typing import Any

from mcu_proto.datapoint import Schema
from mcu_proto.errors import LocalError

from .storage import replace_file

# The largest product that fits a frame has some thousand attributes, with 300 bytes of definition each.
MAX_BYTES = 1 << 20


class DefinitionError(ValueError):
    """It cannot be used; the text says what is wrong, and with which attribute."""


@dataclass(frozen=True)
class Definition:
    """A product: how its P0 is read, and what people call things. `titles` and `units` are by attribute name, `source`
    is the text that all of it came from.
    """

    source: bytes
    name: str
    schema: Schema
    titles: dict[str, str]
    units: dict[str, str]


class DefinitionStore:
    """The kept definitions under the directory `state`."""

    def __init__(self, state: str) -> None:
        self._folder = os.path.join(state, "definitions")

    def load(self, product_key: str) -> Definition | None:
        """The kept definition, or None."""
        try:
            return load_definition(self._path(product_key))
        except DefinitionError:
            return None

    def keep(self, product_key: str, data: bytes) -> Definition:
        """Check `data`, which must be of `product_key`, and keep it."""
        definition = parse_definition(data)
        if definition.schema.product_key not in ("", product_key):
            raise DefinitionError("it is of product key %.40s" % definition.schema.product_key)
        path = self._path(product_key)
        try:
            replace_file(path, data)
        except OSError as error:
            raise DefinitionError("it cannot be kept in %s: %s" % (path, error.strerror)) from error
        return definition

    def _path(self, product_key: str) -> str:
        if not re.fullmatch("[0-9A-Za-z]{1,64}", product_key):  # an MCU may name anything
            raise DefinitionError("product key %.40r is not made of letters and digits" % product_key)
        return os.path.join(self._folder, product_key + ".json")


def load_definition(path: str) -> Definition:
    """The definition in the file `path`."""
    try:
        with open(path, "rb") as file:
            return parse_definition(file.read(MAX_BYTES + 1))
    except OSError as error:
        raise DefinitionError("cannot be read: %s" % error.strerror) from error


def parse_definition(data: bytes) -> Definition:
    """The definition in `data`, JSON text as GET /app/datapoint serves it."""
    if len(data) > MAX_BYTES:
        raise DefinitionError("longer than %d bytes" % MAX_BYTES)
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise DefinitionError("not JSON: %s" % error) from error
    try:
        schema = Schema.from_definition(content)
    except LocalError as error:
        raise DefinitionError(str(error)) from error
    if not isinstance(schema.product_key, str):
        raise DefinitionError("product_key is no text")
    rows = (content.get("entities") or [{}])[0].get("attrs") or []
    return Definition(
        source=data,
        name=_text(content.get("name")),
        schema=schema,
        titles={row["name"]: _text(row.get("display_name")) for row in rows},
        units={row["name"]: _unit(row) for row in rows},
    )


def _unit(row: dict[str, Any]) -> str:
    spec = row.get("uint_spec")
    return _text(row.get("unit")) or _text(spec.get("unit") if isinstance(spec, dict) else "")


def _text(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""
