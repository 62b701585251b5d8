"""What EMQX, or another broker that asks over HTTP, wants to know: who may log in, who may use which topic.

    POST /broker/auth   {clientid, username, password, peerhost}             -> {"result": "allow" or "deny"}
    POST /broker/acl    {clientid, username, action, topic}                  -> the same
                        action: "publish" or "subscribe"

Only the broker may ask: it shows the password of the cloud's own account in `Authorization: Bearer …`, which stands in
the URL of the settings; without a URL nothing is served here. The cloud's own account may do everything. A device and
an app may do what `access` says; a subscription that is not served is denied, which EMQX tells the client with 0x80.
"""

import hmac
from typing import TYPE_CHECKING

from . import access
from .admission import ACCEPTED, Attempt, parse_app
from .errors import NOT_SERVED, ApiError
from .request import Json, Request

if TYPE_CHECKING:
    from .app import Cloud

_ALLOW, _DENY = {"result": "allow"}, {"result": "deny"}
_MAX = 512


async def authenticate(request: Request, cloud: "Cloud") -> Json:
    """Whether a client may log in."""
    _check_caller(request, cloud)
    form = request.json()
    username, password = str(form.get("username") or ""), str(form.get("password") or "")
    broker = cloud.broker
    if username == broker.cloud_username:
        is_ours = hmac.compare_digest(password.encode(), broker.cloud_password.encode())
        return Json({**_ALLOW, "is_superuser": True} if is_ours else _DENY)
    attempt = Attempt(str(form.get("clientid") or ""), username, password, str(form.get("peerhost") or ""))
    verdict = cloud.admission.judge(attempt)
    if verdict.code != ACCEPTED:
        cloud.log.warning("refused the MQTT login of %.80r from %.45s: %s", attempt.client_id, attempt.ip, verdict.why)
        return Json(_DENY)
    return Json({**_ALLOW, "is_superuser": False})


async def authorize(request: Request, cloud: "Cloud") -> Json:
    """Whether a client may publish to a topic, or subscribe to it."""
    _check_caller(request, cloud)
    form = request.json()
    client, username = form.text("clientid", _MAX), form.text("username", _MAX)
    action, topic = form.text("action", 16), form.text("topic", 65535)
    if username == cloud.broker.cloud_username:
        return Json(_ALLOW)
    may = _app_may if parse_app(username) else _device_may
    return Json(_ALLOW if may(client, username, action, topic, cloud) else _DENY)


def _device_may(client: str, username: str, action: str, topic: str, cloud: "Cloud") -> bool:
    if client != username:
        return False
    if action == "publish":
        # EMQX may have put the sender into the topic already.
        return access.may_publish(client, topic)
    device = cloud.store.devices.get(client)
    return device is not None and access.may_subscribe(client, device.product_key, topic)


def _app_may(client: str, username: str, action: str, topic: str, cloud: "Cloud") -> bool:
    app_id, uid = parse_app(username) or ("", "")

    def is_bound(did: str) -> bool:
        return cloud.accounts.is_bound(uid, did)

    if action == "publish":
        return access.app_may_publish(client, is_bound, topic)
    return access.app_may_subscribe(client, uid, app_id, is_bound, topic)


def _check_caller(request: Request, cloud: "Cloud") -> None:
    """Anybody who could ask here could try passwords unseen."""
    given = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
    is_shared = "://" in cloud.settings.broker
    if not is_shared or not hmac.compare_digest(given.encode(), cloud.broker.cloud_password.encode()):
        raise ApiError(NOT_SERVED, "there is no such path in this cloud")
