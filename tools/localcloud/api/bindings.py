"""Open API manual, Binding Management: bind by MAC address, list, unbind."""

from typing import TYPE_CHECKING, Any

from .. import auth
from ..errors import DEVICE_NOT_FOUND, FORM_INVALID, PRODUCT_KEY_INVALID, SERVER_ERROR, ApiError
from ..request import Fields, Json, Request
from ..store.bindings import Binding

if TYPE_CHECKING:
    from ..app import Cloud

MAX_PAGE = 1000
# What is kept of a remark and an alias, and how long a product key and an address may be.
LABELS = {"remark": 256, "dev_alias": 128}
MAX_KEY = 32
# GAgent version 4 is the only generation of modules that this cloud serves.
PROTO_VER = "04"
WIFI_PRODUCT = 3


async def bind_mac(request: Request, cloud: "Cloud") -> Json:
    form = request.json()
    product = cloud.store.products.get(form.text("product_key", MAX_KEY).lower())
    if product is None:
        raise ApiError(PRODUCT_KEY_INVALID)
    auth.check_signature(request, product.secret)
    device = cloud.store.devices.by_mac(product.product_key, form.text("mac", MAX_KEY))
    if device is None:
        raise ApiError(DEVICE_NOT_FOUND, "no device of this product has registered with this mac")
    labels = {name: form.optional_text(name, size) for name, size in LABELS.items() if name in form}
    cloud.store.bindings.bind(request.caller.uid, device.did, labels)
    binding = cloud.store.bindings.get(request.caller.uid, device.did)
    if binding is None:
        raise ApiError(SERVER_ERROR, "the device was reset while it was bound")
    return Json(item(binding, request, cloud), status=201)


async def get(request: Request, cloud: "Cloud") -> Json:
    """The caller's devices. A device that was reset has lost its bindings, so show_disabled changes nothing here."""
    limit = request.query.number("limit", 0, MAX_PAGE, default=20)
    skip = request.query.number("skip", 0, 10**9, default=0)
    request.query.number("show_disabled", 0, 1, default=0)
    extra = {"proto_ver": PROTO_VER} if request.query.number("show_proto_ver", 0, 1, default=0) else {}
    found = cloud.store.bindings.of_user(request.caller.uid, limit, skip)
    return Json({"devices": [{**item(binding, request, cloud), **extra} for binding in found]})


async def unbind(request: Request, cloud: "Cloud") -> Json:
    rows = request.json().get("devices")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ApiError(FORM_INVALID, 'expected {"devices": [{"did": "..."}]}')
    done: dict[str, list[str]] = {"success": [], "failed": []}
    for did in dict.fromkeys(Fields(row).text("did", MAX_KEY) for row in rows):
        is_done = cloud.store.bindings.unbind(request.caller.uid, did)
        done["success" if is_done else "failed"].append(did)
    return Json(done)


def item(binding: Binding, request: Request, cloud: "Cloud") -> dict[str, Any]:
    """A device as its user sees it: every field that a real answer has, for clients index them."""
    device = binding.device
    product = cloud.store.products.get(device.product_key)
    return {
        "did": device.did,
        "mac": device.mac,
        "product_key": device.product_key,
        "product_name": product.name if product else "",
        "passcode": device.passcode,
        "host": cloud.advertised_host(request),
        "port": cloud.mqtt_port,
        # Deviation: 0 says that nothing listens there. See OPEN_API.md.
        "port_s": 0,
        "ws_port": 0,
        "wss_port": 0,
        "is_online": cloud.sessions.is_online(device.did),
        "is_disabled": device.is_disabled,
        "is_sandbox": False,
        "is_low_power": False,
        "type": "normal",
        "protoc": WIFI_PRODUCT,
        "role": binding.role,
        "remark": binding.remark,
        "dev_alias": binding.dev_alias,
        "dev_label": [],
        "wifi_hard_version": device.wifi_hard_version,
        "wifi_soft_version": device.wifi_soft_version,
        "mcu_hard_version": device.mcu_hard_version,
        "mcu_soft_version": device.mcu_soft_version,
        "mesh_id": None,
        "gw_did": None,
        "sleep_duration": 0,
        "state_last_timestamp": int(device.attrs_at),
    }
