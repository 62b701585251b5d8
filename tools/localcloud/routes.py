"""THE TABLE: which method and path goes to which handler, and who may call it.

`auth.anyone`, `auth.app` (an app id) and `auth.user` (app id and user token) are the three kinds of callers.
"""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, NamedTuple

from . import device_api
from .api import bindings, devices, system, users
from .auth import anyone, app, user
from .request import Answer, Request

if TYPE_CHECKING:
    from .app import Cloud


class Route(NamedTuple):
    method: str
    path: str
    handler: "Callable[[Request, Cloud], Awaitable[Answer]]"
    caller: "Callable[[Request, Cloud], Request]"


ROUTES = (
    # Device API, generation A
    Route("POST", "/dev/devices", device_api.register, anyone),
    Route("DELETE", "/dev/devices", device_api.disable, anyone),
    Route("GET", "/dev/devices/{did}", device_api.provision, anyone),
    Route("POST", "/dev/ota/v4.1/update_and_check/{did}", device_api.update_and_check, anyone),
    Route("GET", "/dev/ota/v4.1/latest", device_api.latest_firmware, anyone),
    Route("GET", "/dev/ota/target_fid", device_api.target_firmware, anyone),
    Route("POST", "/dev/jd/{did}", device_api.third_party, anyone),
    Route("GET", "/dev/jd/product/{product_key}", device_api.third_party, anyone),
    # Open API: User Management
    Route("POST", "/app/users", users.create, app),
    Route("GET", "/app/users", users.get, user),
    Route("POST", "/app/login", users.login, app),
    # Open API: Binding Management
    Route("POST", "/app/bind_mac", bindings.bind_mac, user),
    Route("GET", "/app/bindings", bindings.get, user),
    Route("DELETE", "/app/bindings", bindings.unbind, user),
    # Open API: Device Remote Monitoring
    Route("GET", "/app/devdata/{did}/latest", devices.latest, app),
    Route("GET", "/app/datapoint", devices.datapoint, app),
    Route("GET", "/app/devices/{did}", devices.get, user),
    Route("GET", "/app/devices/{did}/raw_data", devices.raw_data, user),
    Route("POST", "/app/control/{did}", devices.control, user),
    # Open API: System Information
    Route("GET", "/status", system.status, app),
    Route("GET", "/errors", system.errors, app),
)
