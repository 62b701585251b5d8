"""The operator's firmware pages: what there is, a new image, the trial, the rules, how far every device is.

    GET    /console/operator/firmware                 the images, the newest first
    POST   /console/operator/firmware?product=…       a new one: the body is the file
    GET    /console/operator/firmware/<id>?skip=…     one, with its rules and a page of results
    DELETE /console/operator/firmware/<id>
    GET    /console/operator/firmware/<id>/devices    on which it can be tried
    POST   /console/operator/firmware/<id>/trial      {did}
    POST   /console/operator/firmware/<id>/rules      {percent, from_versions, addresses, window, starts_at, ends_at}
    PUT    /console/operator/rules/<id>               {is_running}
    GET    /console/operator/firmware/<id>/result     every device's result as CSV

The orders are those of the command (`ota_orders`); what they refuse is told in the words they give.
"""

import asyncio
import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from . import ota_orders, ota_text
from .errors import FIRMWARE_NOT_FOUND, FORM_INVALID, ApiError
from .ota_orders import KIND_NAMES, OtaError
from .ota_signing import SigningError, load_key
from .request import Content, Json, Request
from .store.devices import VERSIONS, Device
from .store.firmware import Firmware, PushRule

if TYPE_CHECKING:
    from .app import Cloud

MAX_ROWS = 200
# Addresses of some twenty thousand devices.
MAX_RULE = 512 << 10
_MAX_TIME = 10**10

_T = TypeVar("_T")


async def firmware(request: Request, cloud: "Cloud") -> Json:
    """Every image, the newest first, and whether the next one will be signed."""
    found = cloud.store.firmware.all()
    names = cloud.store.products.names(firmware.product_key for firmware in found)
    key = _do(load_key, cloud.settings.data_dir)
    rows = [{**_row(firmware), "product_name": names.get(firmware.product_key, "")} for firmware in reversed(found)]
    return Json({"key": key.public if key else "", "max_size": ota_orders.MAX_IMAGE, "firmware": rows})


async def add(request: Request, cloud: "Cloud") -> Json:
    """A new image, signed if there is a key; the fields are in the query, the body is the file."""
    query = request.query
    product_key, kind = query.text("product", 32).lower(), query.text("kind", 8)
    versions, name = (query.text("hard", 32), query.text("soft", 32)), query.optional_text("name", 255)

    def order() -> Firmware:
        store, data_dir = cloud.store, cloud.settings.data_dir
        return _do(ota_orders.add_firmware, store, data_dir, request.body, product_key, kind, versions, name)

    # Hashing and storing 16 MB takes a while.
    added = await asyncio.to_thread(order)
    return Json(_row(added), 201)


async def one(request: Request, cloud: "Cloud") -> Json:
    """How far it is: counts, rules, and a page of its devices."""
    found = _firmware(request, cloud)
    skip = request.query.number("skip", 0, 10**9, default=0)
    summary = cloud.store.upgrades.summary(found.id)
    results = cloud.store.upgrades.page_of_results(found.id, skip, MAX_ROWS)
    return Json(
        {
            "firmware": _row(found),
            "rules": [_rule_row(rule) for rule in cloud.store.firmware.rules(found.id)],
            "counts": summary.counts,
            "percent": summary.percent,
            "total": summary.total,
            "devices": [
                {
                    "did": result.did,
                    "mac": result.mac,
                    "state": result.state,
                    "percent": result.percent,
                    "detail": result.detail,
                    "at": result.at,
                }
                for result in results
            ],
        }
    )


async def devices(request: Request, cloud: "Cloud") -> Json:
    """The devices on which it can be tried, those on line first; `find` is part of a did or a MAC address."""
    found = _firmware(request, cloud)
    wanted = request.query.optional_text("find", 64).lower()
    fitting = [
        d for d in cloud.store.devices.of_product(found.product_key) if _fits(found, d) and _is_wanted(d, wanted)
    ]
    online = cloud.sessions.online([device.did for device in fitting])
    fitting.sort(key=lambda device: (device.did not in online, device.mac, device.did))
    rows = [
        {
            "did": device.did,
            "mac": device.mac,
            "soft_version": _running(found, device)[1],
            "is_online": device.did in online,
        }
        for device in fitting[:MAX_ROWS]
    ]
    return Json({"total": len(fitting), "devices": rows})


async def trial(request: Request, cloud: "Cloud") -> Json:
    """One device gets it first."""
    found = _firmware(request, cloud)
    device = _do(ota_orders.set_test, cloud.store, found.id, request.json().text("did", 32))
    return Json({"did": device.did, "mac": device.mac})


async def push(request: Request, cloud: "Cloud") -> Json:
    """Starts a rule; times are Unix seconds, 0 for now and for no end."""
    found, form = _firmware(request, cloud), request.json()
    versions = form.get("from_versions", [])
    if not isinstance(versions, list) or not all(isinstance(version, str) for version in versions):
        raise ApiError(FORM_INVALID, "from_versions: expected a list of software versions")
    addresses = form.get("addresses", "")
    if not isinstance(addresses, str):
        raise ApiError(FORM_INVALID, "addresses: expected text with one a line")
    first, end = _do(ota_text.parse_window, form.optional_text("window", 16))
    rule = PushRule(
        found.id,
        form.number("starts_at", 0, _MAX_TIME, default=0) or time.time(),
        tuple(versions),
        _do(ota_text.parse_addresses, addresses) if addresses.strip() else (),
        form.number("ends_at", 0, _MAX_TIME, default=0) or None,
        first,
        end,
        form.number("percent", 1, 100, default=100),
    )
    return Json(_rule_row(_do(ota_orders.add_rule, cloud.store, rule)), 201)


async def switch(request: Request, cloud: "Cloud") -> Json:
    """Stops a rule or starts it again."""
    is_running = request.json().get("is_running")
    if not isinstance(is_running, bool):
        raise ApiError(FORM_INVALID, "is_running: expected true or false")
    _do(ota_orders.set_running, cloud.store, _number(request), is_running)
    return Json({"is_running": is_running})


async def result(request: Request, cloud: "Cloud") -> Content:
    """Every device's result as CSV."""
    found = _firmware(request, cloud)
    return Content(ota_text.table(cloud.store.upgrades.results(found.id)).encode(), "text/csv; charset=utf-8")


async def remove(request: Request, cloud: "Cloud") -> Json:
    """The image goes, with its rules and results."""
    _do(ota_orders.remove, cloud.store, _firmware(request, cloud).id)
    return Json({})


def _do(order: Callable[..., _T], *given: Any) -> _T:
    """What the order gives; its refusal becomes the documented error."""
    try:
        return order(*given)
    except (OtaError, SigningError) as error:
        raise ApiError(FORM_INVALID, str(error)[:200]) from None


def _number(request: Request) -> int:
    number = request.params["id"]
    if not re.fullmatch(r"[0-9]{1,9}", number):
        raise ApiError(FIRMWARE_NOT_FOUND)
    return int(number)


def _firmware(request: Request, cloud: "Cloud") -> Firmware:
    found = cloud.store.firmware.get(_number(request))
    if found is None:
        raise ApiError(FIRMWARE_NOT_FOUND)
    return found


def _row(firmware: Firmware) -> dict[str, Any]:
    shown = ("id", "product_key", "hard_version", "soft_version", "name", "size", "md5", "sha256", "added_at")
    row = {name: getattr(firmware, name) for name in shown}
    row.update(
        kind=KIND_NAMES[firmware.kind],
        is_signed=bool(firmware.signature),
        test_did=firmware.test_did,
        is_verified=firmware.verified_at is not None,
        standing=ota_text.standing(firmware),
    )
    return row


def _rule_row(rule: PushRule) -> dict[str, Any]:
    return {"id": rule.id, "is_running": rule.is_running, "words": ota_text.rule_words(rule)}


def _running(firmware: Firmware, device: Device) -> tuple[str, str]:
    hard, soft = (getattr(device, column) or "" for column in VERSIONS[str(firmware.kind)])
    return hard, soft


def _fits(firmware: Firmware, device: Device) -> bool:
    hard_version, soft_version = _running(firmware, device)
    return hard_version in ("", firmware.hard_version) and soft_version < firmware.soft_version


def _is_wanted(device: Device, wanted: str) -> bool:
    return wanted in device.did.lower() or wanted in device.mac_key
