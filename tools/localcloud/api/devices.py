"""Open API manual, Device Remote Monitoring: latest state, datapoints, details, records, control."""

import json
import time
from typing import TYPE_CHECKING, Any

from mcu_proto.errors import AttrError

from .. import relay
from ..errors import (
    ATTR_INVALID,
    DEVICE_DISABLED,
    DEVICE_NOT_FOUND,
    FORM_INVALID,
    PRODUCT_KEY_INVALID,
    ApiError,
)
from ..request import Json, Request
from ..store.devices import Device
from ..store.history import Message, Presence, Span
from .device_item import item, reach

if TYPE_CHECKING:
    from ..app import Cloud

DAY_S = 86400
MAX_KEY = 32
# Limits of the manual for the records.
MAX_SPAN_S = 2 * DAY_S
MAX_PAGE = 1000
MAX_ROWS = 5000
# Deviation: the manual wants the end not to be in the future, and callers' clocks are never quite this one.
MAX_AHEAD_S = 300
# Newest first? The manual writes dese and ase in its text, desc in its example.
SORTS = {"desc": True, "dese": True, "asc": False, "ase": False}
# An error names the value that was refused; values can be long.
MAX_DETAIL = 200


async def latest(request: Request, cloud: "Cloud") -> Json:
    """The attributes last reported, if that was in the last 24 hours. A caller who shows a user must be bound to it."""
    did = request.params["did"]
    device = reach(did, request, cloud).device if request.user else cloud.store.devices.get(did)
    if device is None:
        raise ApiError(DEVICE_NOT_FOUND)
    if device.is_disabled:
        raise ApiError(DEVICE_DISABLED)
    attrs = latest_attrs(device, cloud)
    return Json({"did": did, "updated_at": int(device.attrs_at) if attrs else 0, "attr": attrs})


def latest_attrs(device: Device, cloud: "Cloud") -> dict[str, Any]:
    """The state of the last 24 hours (`latest_hours`) as apps see it, {} when there is none."""
    product = cloud.store.products.get(device.product_key)
    if product is None or device.attrs_at < time.time() - cloud.settings.latest_hours * 3600:
        return {}
    return relay.shown(device.attrs, product.bools)


async def datapoint(request: Request, cloud: "Cloud") -> Json:
    product = cloud.store.products.get(request.query.text("product_key", MAX_KEY).lower())
    if product is None:
        raise ApiError(PRODUCT_KEY_INVALID)
    return Json(json.loads(product.definition))


async def get(request: Request, cloud: "Cloud") -> Json:
    return Json(item(reach(request.params["did"], request, cloud), request, cloud))


async def raw_data(request: Request, cloud: "Cloud") -> Json:
    """The messages of a device, or its coming and going."""
    device = reach(request.params["did"], request, cloud).device
    query = request.query
    kind = query.text("type", 8)
    if kind not in _RECORDS:
        raise ApiError(FORM_INVALID, "type: expected one of %s" % ", ".join(_RECORDS))
    sort = query.optional_text("sort", 8) or "desc"
    if sort not in SORTS:
        raise ApiError(FORM_INVALID, "sort: expected desc or asc")
    now = int(time.time())
    start = query.number("start_time", 0, now)
    end = query.number("end_time", start + 1, now + MAX_AHEAD_S)
    if end - start >= MAX_SPAN_S:
        raise ApiError(FORM_INVALID, "end_time: expected less than 48 hours after start_time")
    skip = query.number("skip", 0, MAX_ROWS, default=0)
    limit = query.number("limit", 0, MAX_PAGE, default=20)
    if skip + limit > MAX_ROWS:
        raise ApiError(FORM_INVALID, "skip: expected skip and limit together at most %d" % MAX_ROWS)
    total, objects = _RECORDS[kind](cloud, device.did, Span(start, end, SORTS[sort], skip, limit))
    meta = {
        "type": kind,
        "did": device.did,
        "start_time": start,
        "end_time": end,
        "sort": "desc" if SORTS[sort] else "asc",
        "skip": skip,
        "limit": limit,
        "total": total,
    }
    return Json({"meta": meta, "objects": objects})


async def control(request: Request, cloud: "Cloud") -> Json:
    """Sends attributes or raw bytes to a device that is online; the answer does not wait for what it does with them."""
    device = reach(request.params["did"], request, cloud).device
    body = request.json()
    coding = body.optional_text("binary_coding", 8) or "hex"
    if coding not in relay.CODINGS:
        raise ApiError(FORM_INVALID, "binary_coding: expected one of %s" % ", ".join(relay.CODINGS))
    try:
        p0 = relay.raw_p0(body["raw"], coding) if "raw" in body else attrs_p0(device, body.get("attrs"), coding, cloud)
    except AttrError as error:
        raise ApiError(ATTR_INVALID, str(error)[:MAX_DETAIL]) from None
    await cloud.send(device.did, p0, request)
    return Json({})


def attrs_p0(device: Device, attrs: Any, coding: str, cloud: "Cloud") -> bytes:
    """The P0 that sets attributes; AttrError or ApiError when it cannot be."""
    if not isinstance(attrs, dict) or not attrs:
        raise ApiError(FORM_INVALID, "expected attrs (an object of names and values) or raw (bytes)")
    schema = cloud.schema(device.product_key)
    if schema is None:
        raise ApiError(PRODUCT_KEY_INVALID, "the datapoints of this device's product are not known")
    return relay.control_p0(schema, attrs, coding)


def _messages(cloud: "Cloud", did: str, span: Span) -> tuple[int, list[dict[str, Any]]]:
    total, found = cloud.store.history.messages(did, span)
    return total, [_message(message) for message in found]


def _message(message: Message) -> dict[str, Any]:
    sender = {"source": message.source, "uid": message.uid, "appid": message.app_id}
    return {
        "type": message.type,
        "timestamp": round(message.at, 3),
        "ip": message.ip,
        "payload_bin": message.payload.hex(),
        **{name: value for name, value in sender.items() if value is not None},
    }


def _presence(cloud: "Cloud", did: str, span: Span) -> tuple[int, list[dict[str, Any]]]:
    total, found = cloud.store.history.presence(did, span)
    return total, [_change(change) for change in found]


def _change(change: Presence) -> dict[str, Any]:
    about = {"keep_alive": change.keep_alive, "duration": change.duration, "reason": change.reason}
    return {
        "type": change.type,
        "timestamp": round(change.at, 3),
        "ip": change.ip,
        "payload_bin": "",
        **{name: value for name, value in about.items() if value is not None},
    }


_RECORDS = {"cmd": _messages, "online": _presence}
