"""A device as its user sees it, in the lists and details of the Open API, and whether a user may reach it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..errors import DEVICE_DISABLED, DEVICE_NOT_BOUND, DEVICE_NOT_FOUND, ApiError
from ..request import Request
from ..store.bindings import Binding

if TYPE_CHECKING:
    from ..app import Cloud

WIFI_PRODUCT = 3


def reach(did: str, request: Request, cloud: "Cloud") -> Binding:
    """The caller's binding to a device in use; ApiError says what is missing."""
    binding = cloud.store.bindings.get(request.caller.uid, did)
    if binding is None:
        raise ApiError(DEVICE_NOT_BOUND if cloud.store.devices.get(did) else DEVICE_NOT_FOUND)
    if binding.device.is_disabled:
        raise ApiError(DEVICE_DISABLED, "it was reset; bind it again under its new did")
    return binding


def items(bindings: Sequence[Binding], request: Request, cloud: "Cloud") -> list[dict[str, Any]]:
    """Devices with every field that a real answer has, for clients index them."""
    names = cloud.store.products.names(binding.device.product_key for binding in bindings)
    online = cloud.sessions.online([binding.device.did for binding in bindings])
    host = cloud.app_host(request)
    return [
        _item(binding, names.get(binding.device.product_key, ""), binding.device.did in online, host, cloud)
        for binding in bindings
    ]


def item(binding: Binding, request: Request, cloud: "Cloud") -> dict[str, Any]:
    """One device with the same fields."""
    return items([binding], request, cloud)[0]


def _item(binding: Binding, product_name: str, is_online: bool, host: str, cloud: "Cloud") -> dict[str, Any]:
    device = binding.device
    return {
        "did": device.did,
        "mac": device.mac,
        "product_key": device.product_key,
        "product_name": product_name,
        "passcode": device.passcode,
        "host": host,
        "port": cloud.mqtt_port,
        # Deviation: 0 says that nothing listens there, because no certificate was made. See OPEN_API.md.
        "port_s": cloud.mqtts_port,
        "ws_port": cloud.websocket.port,
        "wss_port": cloud.websocket.tls_port,
        "is_online": is_online,
        "is_disabled": device.is_disabled,
        "is_sandbox": False,
        "is_low_power": False,
        "type": "normal",
        "protoc": WIFI_PRODUCT,
        "role": binding.role,
        "remark": binding.remark,
        "dev_alias": binding.dev_alias,
        "dev_label": binding.dev_label,
        "wifi_hard_version": device.wifi_hard_version,
        "wifi_soft_version": device.wifi_soft_version,
        "mcu_hard_version": device.mcu_hard_version,
        "mcu_soft_version": device.mcu_soft_version,
        "mesh_id": None,
        "gw_did": None,
        "sleep_duration": 0,
        "state_last_timestamp": int(device.attrs_at),
    }
