"""Calls of old editions of the Open API that public programs still make.

`POST /app/provision` gives nothing away and is always served. The two others let whoever knows an app id and a
device's address or did read its passcode and its history; they are refused unless the settings say `deprecated =
"served"`. The shapes are those that the programs read, no manual of them is left.
"""

import asyncio
import time
from typing import TYPE_CHECKING, Any

from mcu_proto.errors import RemoteError

from .. import relay
from ..errors import DEVICE_NOT_FOUND, FORM_INVALID, NOT_SERVED, PRODUCT_KEY_INVALID, ApiError
from ..request import Json, Request
from ..store.history import DEV2APP, Message, Span
from .device_item import reach
from .devices import DAY_S, MAX_KEY, MAX_PAGE, MAX_ROWS, MAX_SPAN_S

if TYPE_CHECKING:
    from mcu_proto.datapoint import Schema

    from ..app import Cloud

# Messages decoded between two looks at the other requests.
_BATCH = 100


async def provision(request: Request, cloud: "Cloud") -> Json:
    """A phone tells what it is and learns where the broker is."""
    request.json()
    return Json({"host": cloud.advertised_host(request), "port": cloud.mqtt_port})


async def find_device(request: Request, cloud: "Cloud") -> Json:
    """The did and passcode of a device, by its address."""
    _check_served(cloud)
    product_key = request.query.text("product_key", MAX_KEY).lower()
    device = cloud.store.devices.by_mac(product_key, request.query.text("mac", MAX_KEY))
    if device is None:
        raise ApiError(DEVICE_NOT_FOUND)
    return Json({"did": device.did, "passcode": device.passcode})


async def history(request: Request, cloud: "Cloud") -> Json:
    """What a device reported of one attribute, the newest first."""
    _check_served(cloud)
    query = request.query
    did, name = query.text("did", MAX_KEY), query.text("name", MAX_KEY)
    device = reach(did, request, cloud).device if request.user else cloud.store.devices.get(did)
    if device is None:
        raise ApiError(DEVICE_NOT_FOUND)
    schema = cloud.schema(device.product_key)
    if schema is None:
        raise ApiError(PRODUCT_KEY_INVALID, "the datapoints of this device's product are not known")
    end = query.number("end_ts", 1, 2**40, default=int(time.time()) + 1)
    start = query.number("start_ts", 0, end, default=max(0, end - DAY_S))
    if end - start >= MAX_SPAN_S:
        raise ApiError(FORM_INVALID, "end_ts: expected less than 48 hours after start_ts")
    skip, limit = query.number("skip", 0, MAX_ROWS, default=0), query.number("limit", 0, MAX_PAGE, default=20)
    _, messages = cloud.store.history.messages(did, Span(start, end, True, 0, MAX_ROWS))
    found: list[dict[str, Any]] = []
    for number, message in enumerate(messages):
        if number % _BATCH == 0:
            await asyncio.sleep(0)
        attrs = _attrs(schema, message)
        if name in attrs:
            found.append({"timestamp": round(message.at, 3), "attr": {name: attrs[name]}})
    asked = {"did": did, "product_key": device.product_key, "name": name, "start_ts": start, "end_ts": end}
    return Json({"query": {**asked, "skip": skip, "limit": limit}, "data": found[skip : skip + limit]})


def _check_served(cloud: "Cloud") -> None:
    if cloud.settings.deprecated != "served":
        raise ApiError(NOT_SERVED, 'the operator can serve it with the setting deprecated = "served"')


def _attrs(schema: "Schema", message: Message) -> dict[str, Any]:
    if message.type != DEV2APP:
        return {}
    try:
        return relay.shown(relay.state_of(schema, message.payload), "number")
    except RemoteError:
        return {}
