"""THE TABLE: which method and path goes to which handler, and who may call it.

`auth.anyone`, `auth.app` (an app id), `auth.app_token` (app id and token of the app), `auth.maybe_user` (an app id, and
a user token that need not be shown) and `auth.user` (app id and user token) are the kinds of callers.
"""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, NamedTuple

from . import broker_hooks, device_api, device_api_b, ota
from .api import (
    account_pages,
    bindings,
    deprecated,
    devices,
    passwords,
    profile,
    smart_home,
    system,
    users,
    verification,
)
from .auth import anyone, app, app_token, maybe_user, user
from .request import MAX_BODY, Answer, Request

if TYPE_CHECKING:
    from .app import Cloud


class Route(NamedTuple):
    method: str
    path: str
    handler: "Callable[[Request, Cloud], Awaitable[Answer]]"
    caller: "Callable[[Request, Cloud], Request]"
    max_body: int = MAX_BODY


ROUTES = (
    # Device API, generation A
    Route("POST", "/dev/devices", device_api.register, anyone),
    Route("DELETE", "/dev/devices", device_api.disable, anyone),
    Route("GET", "/dev/devices/{did}", device_api.provision, anyone),
    Route("POST", "/dev/ota/v4.1/update_and_check/{did}", ota.update_and_check, anyone),
    Route("GET", "/dev/ota/v4.1/latest", ota.latest, anyone),
    Route("GET", "/dev/ota/v4.1/download/{id}", ota.download, anyone),
    Route("GET", "/dev/ota/target_fid", ota.target, anyone),
    Route("GET", "/dev/ota/download/{id}", ota.download, anyone),
    Route("POST", "/dev/jd/{did}", device_api.third_party, anyone),
    Route("GET", "/dev/jd/product/{product_key}", device_api.third_party, anyone),
    # What a broker asks that keeps no accounts
    Route("POST", "/broker/auth", broker_hooks.authenticate, anyone),
    Route("POST", "/broker/acl", broker_hooks.authorize, anyone),
    # Device API, generation B
    Route("POST", "/dev/{product_key}/device", device_api_b.register, anyone),
    Route("GET", "/dev/{product_key}/device", device_api_b.provision, anyone),
    # Open API: User Management
    Route("POST", "/app/users", users.create, app),
    Route("GET", "/app/users", users.get, user),
    Route("PUT", "/app/users", profile.change, user),
    Route("POST", "/app/login", users.login, app),
    Route("DELETE", "/app/logout", users.logout, user),
    Route("POST", "/app/request_token", verification.request_token, app),
    Route("POST", "/app/reset_password", passwords.reset, app),
    Route("POST", "/app/sms_code", verification.sms_code, app_token),
    Route("GET", "/app/verify/codes", verification.get_captcha, app_token),
    Route("POST", "/app/verify/codes", verification.check_captcha, app_token),
    Route("PUT", "/app/verify/codes", verification.check_sms_code, app_token),
    # What its links and answers lead to
    Route("GET", "/captcha/image/{captcha_id}/", verification.captcha_image, anyone),
    Route("GET", "/account/password/{secret}", account_pages.password_form, anyone),
    Route("POST", "/account/password/{secret}", account_pages.set_password, anyone),
    Route("GET", "/account/activation/{secret}", account_pages.activate, anyone),
    # Open API: Binding Management
    Route("POST", "/app/bind_mac", bindings.bind_mac, user),
    Route("POST", "/app/bind_latest", bindings.bind_latest, user),
    Route("GET", "/app/bindings", bindings.get, user),
    Route("POST", "/app/bindings", bindings.bind, user),
    Route("DELETE", "/app/bindings", bindings.unbind, user),
    Route("PUT", "/app/bindings/{did}", bindings.update, user),
    Route("GET", "/app/{did}/bindings", bindings.guests, user),
    Route("DELETE", "/app/{did}/bindings", bindings.unbind_guest, user),
    # Open API: Device Remote Monitoring
    Route("GET", "/app/devdata/{did}/latest", devices.latest, maybe_user),
    Route("GET", "/app/datapoint", devices.datapoint, app),
    Route("GET", "/v2/datapoint", devices.datapoint, anyone),
    Route("GET", "/app/devices/{did}", devices.get, user),
    Route("GET", "/app/devices/{did}/raw_data", devices.raw_data, user),
    Route("POST", "/app/control/{did}", devices.control, user),
    # Open API: System Information
    Route("GET", "/status", system.status, app),
    Route("GET", "/errors", system.errors, app),
    # Calls of old editions
    Route("POST", "/app/provision", deprecated.provision, app),
    Route("GET", "/app/devices", deprecated.find_device, app),
    Route("GET", "/app/devdata2", deprecated.history, maybe_user),
    # The newer app gateway; its answers are enveloped, so its handlers look at the token themselves
    Route("POST", "/app/smart_home/login/pwd", smart_home.login, app),
    Route("GET", "/app/smart_home/users/devices", smart_home.user_devices, app),
    Route("GET", "/app/smartHome/v2/users/devices", smart_home.user_devices, app),
    Route("GET", "/app/device/shadow/{product_key}/{mac}", smart_home.shadow, app),
    Route("POST", "/app/device/control/{product_key}/{mac}", smart_home.control, app),
)
