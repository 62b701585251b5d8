"""A product definition from a file, in the Open API's datapoint JSON."""

import json

from mcu_proto.datapoint import Schema
from mcu_proto.errors import LocalError


class ProductError(Exception):
    """A file that is no usable product definition; the text says which, why and what to do."""


def load_product(path: str) -> dict:
    """The definition in the file, checked; ProductError when there is none."""
    try:
        with open(path, encoding="utf-8") as file:
            definition = json.load(file)
    except OSError as e:
        raise ProductError("product file %s cannot be read: %s" % (path, e.strerror)) from None
    except UnicodeDecodeError:
        raise ProductError("product file %s is not text: expected datapoint JSON" % path) from None
    except json.JSONDecodeError as e:
        raise ProductError("product file %s is not JSON: line %d: %s" % (path, e.lineno, e.msg)) from None
    try:
        Schema.from_definition(definition)
    except LocalError as e:
        raise ProductError("product file %s: %s" % (path, e)) from None
    return definition
