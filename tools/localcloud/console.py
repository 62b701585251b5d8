"""What the web console asks beyond the Open API: the log in words, QR codes, and the operator's pages.

Everything a user does in the console goes through the Open API and the WebSocket API, as any app's would. The operator
sees what is nobody's: codes that no sender took, products, apps, and devices that wait for someone to bind them.
"""

import io
import json
import time
from typing import TYPE_CHECKING, Any

import segno

from . import catalog, console_log, qr_code
from .api.device_item import reach
from .errors import FORM_INVALID, ONLY_OWNER_CAN_OPERATE, ApiError
from .request import Json, Request
from .store.bindings import OWNER, SPECIAL
from .store.devices import Device
from .store.history import Span

if TYPE_CHECKING:
    from .app import Cloud

# The app id under which the console calls the Open API; a cloud that wants listed apps has it on its list.
APP_ID = "c0501e" + "0" * 26
APP_NAME = "web console"

MAX_ROWS = 200


async def about(request: Request, cloud: "Cloud") -> Json:
    """What the console needs before anybody has logged in."""
    return Json(
        {
            "app_id": APP_ID,
            "ws_port": cloud.websocket.port,
            "wss_port": cloud.websocket.tls_port,
            "has_operator": cloud.store.operators.password_hash() is not None,
        }
    )


async def log(request: Request, cloud: "Cloud") -> Json:
    """The communication log of a device the caller is bound to, the newest first, up to the time `before`."""
    device = reach(request.params["did"], request, cloud).device
    limit = request.query.number("limit", 1, MAX_ROWS, default=50)
    before = _time(request.query.get("before"))
    span = Span(0, before, True, 0, limit)
    schema = cloud.schema(device.product_key)
    rows = [console_log.message_row(message, schema) for message in cloud.store.history.messages(device.did, span)[1]]
    rows += [console_log.presence_row(change) for change in cloud.store.history.presence(device.did, span)[1]]
    rows.sort(key=lambda row: row["at"], reverse=True)
    return Json({"rows": rows[:limit]})


async def qr(request: Request, cloud: "Cloud") -> Json:
    """The QR code with which another user binds the device: for the user it belongs to."""
    binding = reach(request.params["did"], request, cloud)
    if binding.role not in (SPECIAL, OWNER):
        raise ApiError(ONLY_OWNER_CAN_OPERATE, "the first user of a device shows its code")
    return Json(_qr(binding.device, request, cloud))


async def codes(request: Request, cloud: "Cloud") -> Json:
    """Verification codes and links that no sender took."""
    return Json({"codes": [vars(sent) for sent in cloud.store.codes.sent(time.time())]})


async def products(request: Request, cloud: "Cloud") -> Json:
    found = cloud.store.products.all()
    return Json(
        {
            "products": [
                {
                    "product_key": product.product_key,
                    "name": product.name,
                    "attributes": len(getattr(cloud.schema(product.product_key), "attrs", ())),
                    "bools": product.bools,
                    "sharing": product.sharing,
                }
                for product in found
            ]
        }
    )


async def add_product(request: Request, cloud: "Cloud") -> Json:
    """Adds or replaces a product from its definition."""
    form = request.json()
    definition: Any = form.get("definition")
    if isinstance(definition, str):
        try:
            definition = json.loads(definition)
        except (ValueError, RecursionError) as error:
            raise ApiError(FORM_INVALID, "the definition is no JSON: %s" % str(error)[:100]) from None
    try:
        product, is_new = catalog.add_product(
            cloud.store, definition, form.text("secret", 32), form.optional_text("name", 128)
        )
    except catalog.CatalogError as error:
        raise ApiError(FORM_INVALID, str(error)[:200]) from None
    return Json({"product_key": product.product_key, "name": product.name, "is_new": is_new}, 201)


async def apps(request: Request, cloud: "Cloud") -> Json:
    found = cloud.store.products.all_apps()
    return Json(
        {"is_listed": cloud.settings.apps == "listed", "apps": [{"app_id": a.app_id, "name": a.name} for a in found]}
    )


async def add_app(request: Request, cloud: "Cloud") -> Json:
    """Adds an app, with a new id when none is given."""
    form = request.json()
    try:
        added = catalog.add_app(cloud.store, form.optional_text("name", 128), form.optional_text("app_id", 32))
    except catalog.CatalogError as error:
        raise ApiError(FORM_INVALID, str(error)) from None
    return Json({"app_id": added.app_id, "name": added.name}, 201)


async def devices(request: Request, cloud: "Cloud") -> Json:
    """The devices in use, a page of them; `find` is part of a did, a MAC address or a product key."""
    skip = request.query.number("skip", 0, 10**9, default=0)
    wanted = request.query.optional_text("find", 64).lower()
    found = [device for device in cloud.store.devices.all() if not device.is_disabled and _is_wanted(device, wanted)]
    page = sorted(found, key=lambda device: (device.product_key, device.mac, device.did))[skip : skip + MAX_ROWS]
    names = cloud.store.products.names(device.product_key for device in page)
    online = cloud.sessions.online([device.did for device in page])
    return Json(
        {
            "total": len(found),
            "devices": [
                {
                    "did": device.did,
                    "mac": device.mac,
                    "product_name": names.get(device.product_key, ""),
                    "is_online": device.did in online,
                    "users": len(cloud.store.bindings.users_of(device.did)),
                }
                for device in page
            ],
        }
    )


async def device_qr(request: Request, cloud: "Cloud") -> Json:
    """The QR code with which a user binds a device."""
    device = cloud.store.devices.get(request.params["did"])
    if device is None or device.is_disabled:
        raise ApiError(FORM_INVALID, "no such device is in use")
    return Json(_qr(device, request, cloud))


def _is_wanted(device: Device, wanted: str) -> bool:
    return any(wanted in text for text in (device.did.lower(), device.mac_key, device.product_key))


def _qr(device: Device, request: Request, cloud: "Cloud") -> dict[str, str]:
    """The code opens this console in a phone's camera; apps find what they want behind its question mark."""
    product = cloud.store.products.get(device.product_key)
    if product is None or not device.mac:
        fields = "did=%s&passcode=%s" % (device.did, device.passcode)
    else:
        fields = qr_code.make_content(product.product_key, product.secret, device.mac)
    host = request.headers.get("host", "") or "%s:%d" % (request.host, cloud.http_port)
    is_tls = cloud.https_port and host.endswith(":%d" % cloud.https_port)
    content = "%s://%s/?%s" % ("https" if is_tls else "http", host, fields)
    out = io.BytesIO()
    segno.make(content, error="l", micro=False).save(
        out, kind="svg", xmldecl=False, svgns=True, omitsize=True, border=2
    )
    return {"content": content, "svg": out.getvalue().decode()}


def _time(value: Any) -> float:
    if value in (None, ""):
        return time.time() + 1
    try:
        return min(max(float(value), 0.0), 1e11)
    except ValueError:
        raise ApiError(FORM_INVALID, "before: expected Unix seconds") from None
