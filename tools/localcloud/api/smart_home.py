"""The newer app gateway of the vendor ("AEP"), as far as public programs use it: six calls in an envelope.

    request   {"appKey": app id, "data": …, "version": "1.0"}                        the token bare in Authorization
    answer    {"code": "200", "message": "", "data": …, "error": false}      refusals as well, all with HTTP status 200

No manual describes it; what is here is what those programs send and read. The rest of such an app speaks the Open API.
"""

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mcu_proto.errors import AttrError

from .. import auth
from ..errors import (
    ATTR_INVALID,
    DEVICE_NOT_FOUND,
    ERRORS,
    FORM_INVALID,
    TOKEN_EXPIRED,
    TOKEN_INVALID,
    USER_NOT_EXIST,
    USERNAME_PASSWORD_ERROR,
    ApiError,
)
from ..request import Fields, Json, Request
from ..store.bindings import Binding
from . import devices, users
from .device_item import items, reach

if TYPE_CHECKING:
    from ..app import Cloud

# Like the page of the binding list; the gateway knows no pages.
MAX_DEVICES = 1000

_OK = "200"
# The codes that programs tell apart; every other refusal bears the number of the Open API.
_CODES = {TOKEN_INVALID: "505", TOKEN_EXPIRED: "505", USER_NOT_EXIST: "1000033", USERNAME_PASSWORD_ERROR: "1000033"}

_Call = Callable[[Request, "Cloud"], Awaitable[Any]]


def _enveloped(call: _Call) -> "Callable[[Request, Cloud], Awaitable[Json]]":
    async def answer(request: Request, cloud: "Cloud") -> Json:
        try:
            data = await call(request, cloud)
        except ApiError as error:
            message = error.detail or ERRORS[error.code].message
            code = _CODES.get(error.code, str(error.code))
            return Json({"code": code, "message": message, "data": None, "error": True})
        return Json({"code": _OK, "message": "", "data": data, "error": False})

    return answer


@_enveloped
async def login(request: Request, cloud: "Cloud") -> dict[str, Any]:
    """A user with a password, under every name that programs look for the token."""
    data = Fields(_data(request))
    form = {"username": data.get("account"), "password": data.get("password"), "lang": data.get("lang")}
    answer = await users.login(replace(request, body=json.dumps(form).encode()), cloud)
    token, expire_at = answer.data["token"], answer.data["expire_at"]
    jwt = {"token": token, "expireAt": expire_at}
    return {"uid": answer.data["uid"], "userToken": token, "expiredAt": expire_at, "jwtAuthenticationDto": jwt}


@_enveloped
async def user_devices(request: Request, cloud: "Cloud") -> list[dict[str, Any]]:
    """The fields of the binding list, and beside them the gateway's own names."""
    request = auth.user(request, cloud)
    rows = items(cloud.store.bindings.of_user(request.caller.uid, MAX_DEVICES, 0), request, cloud)
    return [
        {
            **row,
            "sno": row["did"],
            "productKey": row["product_key"],
            "productName": row["product_name"],
            "name": row["dev_alias"] or row["product_name"],
            "onlineStatus": int(row["is_online"]),
        }
        for row in rows
    ]


@_enveloped
async def shadow(request: Request, cloud: "Cloud") -> dict[str, Any]:
    """The latest attributes and whether the device is connected."""
    device = _reached(request, cloud).device
    connection = "online" if cloud.sessions.is_online(device.did) else "offline"
    return {**devices.latest_attrs(device, cloud), "ConnectType": connection}


@_enveloped
async def control(request: Request, cloud: "Cloud") -> bool:
    """Sets attributes, given as an object or, as apps do, as its JSON text."""
    request = auth.user(request, cloud)
    device = _reached(request, cloud).device
    attrs = request.json().get("data")
    if isinstance(attrs, str):
        try:
            attrs = json.loads(attrs)
        except (ValueError, RecursionError):
            raise ApiError(FORM_INVALID, "data: expected the JSON text of an object") from None
    try:
        p0 = devices.attrs_p0(device, attrs, "hex", cloud)
    except AttrError as error:
        raise ApiError(ATTR_INVALID, str(error)[: devices.MAX_DETAIL]) from None
    await cloud.send(device.did, p0, request)
    return True


def _reached(request: Request, cloud: "Cloud") -> Binding:
    request = auth.user(request, cloud)
    product_key, mac = request.params["product_key"].lower(), request.params["mac"]
    device = cloud.store.devices.by_mac(product_key, mac) if mac else None
    if device is None:
        raise ApiError(DEVICE_NOT_FOUND)
    return reach(device.did, request, cloud)


def _data(request: Request) -> dict[str, Any]:
    data = request.json().get("data")
    if not isinstance(data, dict):
        raise ApiError(FORM_INVALID, 'expected {"data": {"account": "...", "password": "..."}}')
    return data
