"""Open API manual, Binding Management: bind by MAC address, QR code or passcode; list, name, unbind; guests.

Every way to bind wants a proof: a signature with the product's secret, a code made with it, or the device's passcode.
"""

import asyncio
import hmac
import time
from typing import TYPE_CHECKING, Any

from .. import auth, events, qr_code
from ..errors import (
    BAD_QRCODE,
    DEVICE_NOT_FOUND,
    DID_PASSCODE_INVALID,
    FORM_INVALID,
    GUEST_NOT_FOUND,
    ONLY_OWNER_CAN_BIND,
    ONLY_OWNER_CAN_OPERATE,
    OWNER_CANNOT_UNBIND_SELF,
    PRODUCT_KEY_INVALID,
    ApiError,
)
from ..masking import masked, masked_email
from ..request import Fields, Json, Request
from ..store.bindings import BOUND, CLAIMED, GONE, OPEN, OWNED, OWNER, SHARED
from ..store.devices import Device
from ..store.products import Product
from .device_item import item, items, reach

if TYPE_CHECKING:
    from ..app import Cloud

MAX_PAGE = 1000
# What is kept of a remark and an alias, and how long a product key and an address may be.
TEXTS = {"remark": 256, "dev_alias": 128}
MAX_KEY = 32
MAX_LABELS = 32
MAX_LABEL = 64
# GAgent version 4 is the only generation of modules that this cloud serves.
PROTO_VER = "04"


async def bind_mac(request: Request, cloud: "Cloud") -> Json:
    form = request.json()
    product = cloud.store.products.get(form.text("product_key", MAX_KEY).lower())
    if product is None:
        raise ApiError(PRODUCT_KEY_INVALID)
    auth.check_signature(request, product.secret)
    labels = _labels(form)
    device = _by_mac(product, form.text("mac", MAX_KEY), cloud)
    _bind(device, labels, _terms(product, form), request, cloud)
    return Json(item(reach(device.did, request, cloud), request, cloud), status=201)


async def bind_latest(request: Request, cloud: "Cloud") -> Json:
    """Binds the device whose QR code was scanned."""
    form = request.json()
    try:
        scanned = qr_code.parse_content(form.text("qr_content", qr_code.MAX_CONTENT))
        if isinstance(scanned, qr_code.PasscodeCode):
            device = _by_passcode(scanned.did, scanned.passcode, cloud)
        else:
            product = cloud.store.products.get(scanned.product_key)
            if product is None:
                raise ApiError(PRODUCT_KEY_INVALID)
            device = _by_mac(product, scanned.mac(product.secret), cloud)
    except qr_code.QrCodeError as error:
        raise ApiError(BAD_QRCODE, str(error)) from None
    _bind(device, {}, _terms(cloud.store.products.get(device.product_key), form), request, cloud)
    return Json({}, status=201)


async def bind(request: Request, cloud: "Cloud") -> Json:
    """Binds devices by did and passcode, as older apps do. An adopted device, of unknown address, has no other way."""
    done: dict[str, list[str]] = {"success": [], "failed": []}
    for row in _rows(request):
        did, passcode, labels = row.text("did", MAX_KEY), row.optional_text("passcode", MAX_KEY), _labels(row)
        try:
            device = _by_passcode(did, passcode, cloud)
            _bind(device, labels, _terms(cloud.store.products.get(device.product_key), row), request, cloud)
        except ApiError:
            done["failed"].append(did)
        else:
            done["success"].append(did)
        await asyncio.sleep(0)
    return Json(done)


async def get(request: Request, cloud: "Cloud") -> Json:
    """The caller's devices, the one bound last first."""
    query = request.query
    limit = query.number("limit", 0, MAX_PAGE, default=20)
    skip = query.number("skip", 0, 10**9, default=0)
    of_user = cloud.store.bindings.of_user
    if query.number("show_disabled", 0, 1, default=0):
        of_user = cloud.store.bindings.of_user_with_disabled
    extra = {}
    if query.number("show_proto_ver", 0, 1, default=0):
        extra["proto_ver"] = PROTO_VER
    if query.number("lan_prot_ver", 0, 1, default=0):
        # Modules tell it in the LAN only.
        extra["lan_prot_ver"] = ""
    found = items(of_user(request.caller.uid, limit, skip), request, cloud)
    return Json({"devices": [{**row, **extra} for row in found]})


async def update(request: Request, cloud: "Cloud") -> Json:
    """Names a device, for this user only."""
    did = reach(request.params["did"], request, cloud).device.did
    labels = _labels(request.json())
    if not labels:
        raise ApiError(FORM_INVALID, "expected at least one of %s, dev_label" % ", ".join(TEXTS))
    cloud.store.bindings.label(request.caller.uid, did, labels)
    binding = reach(did, request, cloud)
    return Json({"remark": binding.remark, "dev_alias": binding.dev_alias, "dev_label": binding.dev_label})


async def unbind(request: Request, cloud: "Cloud") -> Json:
    done: dict[str, list[str]] = {"success": [], "failed": []}
    for did in dict.fromkeys(row.text("did", MAX_KEY) for row in _rows(request)):
        left = cloud.store.bindings.unbind(request.caller.uid, did)
        for uid in left:
            cloud.bus.publish(events.Event(events.BINDING, did, {"uid": uid, "bind": False}))
        done["success" if left else "failed"].append(did)
        await asyncio.sleep(0)
    return Json(done)


async def guests(request: Request, cloud: "Cloud") -> Json:
    """Who else may use the owner's device."""
    did = _owned(request, cloud)
    return Json(
        [
            {
                "uid": guest.uid,
                "username": masked(guest.username),
                "phone": masked(guest.phone),
                "email": masked_email(guest.email),
                "created_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(since)),
            }
            for guest, since in cloud.store.bindings.guests_of(did)
        ]
    )


async def unbind_guest(request: Request, cloud: "Cloud") -> Json:
    """The owner ends the binding of a guest."""
    did = _owned(request, cloud)
    uid = request.query.text("uid", MAX_KEY)
    if uid == request.caller.uid:
        raise ApiError(OWNER_CANNOT_UNBIND_SELF)
    if not cloud.store.bindings.unbind_guest(uid, did):
        raise ApiError(GUEST_NOT_FOUND)
    cloud.bus.publish(events.Event(events.BINDING, did, {"uid": uid, "bind": False}))
    return Json({})


def _bind(device: Device, labels: dict[str, Any], terms: str, request: Request, cloud: "Cloud") -> None:
    uid = request.caller.uid
    outcome = cloud.store.bindings.bind(uid, device.did, labels, terms)
    if outcome == OWNED:
        raise ApiError(ONLY_OWNER_CAN_BIND)
    if outcome == GONE:
        raise ApiError(DEVICE_NOT_FOUND, "the device was reset while it was bound")
    if outcome == BOUND:
        cloud.bus.publish(events.Event(events.BINDING, device.did, {"uid": uid, "bind": True}))


def _terms(product: Product | None, form: Fields) -> str:
    is_claimed = form.number("set_owner", 0, 1, default=0)
    if product is None or not product.sharing:
        return OPEN
    return CLAIMED if is_claimed else SHARED


def _by_mac(product: Product, mac: str, cloud: "Cloud") -> Device:
    device = cloud.store.devices.by_mac(product.product_key, mac)
    if device is None:
        raise ApiError(DEVICE_NOT_FOUND, "no device of this product has registered with this mac")
    return device


def _by_passcode(did: str, passcode: str, cloud: "Cloud") -> Device:
    device = cloud.store.devices.get(did)
    # The passcode of an adopted device is unknown until its first login: nothing proves anything then.
    if device is None or device.is_disabled or not device.passcode:
        raise ApiError(DID_PASSCODE_INVALID)
    if not hmac.compare_digest(device.passcode.encode(), passcode.encode("utf-8", "replace")):
        raise ApiError(DID_PASSCODE_INVALID)
    return device


def _owned(request: Request, cloud: "Cloud") -> str:
    binding = reach(request.params["did"], request, cloud)
    if binding.role != OWNER:
        raise ApiError(ONLY_OWNER_CAN_OPERATE)
    return binding.device.did


def _labels(form: Fields) -> dict[str, Any]:
    labels: dict[str, Any] = {name: form.optional_text(name, size) for name, size in TEXTS.items() if name in form}
    if "dev_label" in form:
        label = form["dev_label"]
        if not isinstance(label, list) or len(label) > MAX_LABELS:
            raise ApiError(FORM_INVALID, "dev_label: expected a list of at most %d texts" % MAX_LABELS)
        labels["dev_label"] = [Fields(dev_label=text).text("dev_label", MAX_LABEL) for text in label]
    return labels


def _rows(request: Request) -> list[Fields]:
    rows = request.json().get("devices")
    if not isinstance(rows, list) or len(rows) > MAX_PAGE or not all(isinstance(row, dict) for row in rows):
        raise ApiError(FORM_INVALID, 'expected {"devices": [{"did": "..."}]}, at most %d of them' % MAX_PAGE)
    return [Fields(row) for row in rows]
