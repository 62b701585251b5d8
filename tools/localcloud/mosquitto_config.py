"""The files and control commands mosquitto is run with. Pure: settings and logins in, text and documents out.

A subscription is never refused: MQTT 3.1 has no word for that. What a device is *sent* is what its role allows.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from localcloud import access
from localcloud.admission import app_username, parse_app
from localcloud.broker import AppLogin, DeviceLogin, TlsListener

# What the plugin itself uses: passcodes are random, so stretching them would buy nothing and cost each login.
_ITERATIONS = 101
# The longest message: a file of 65 kB in one envelope, and the topic.
_MAX_PACKET = 0x20000


_DEFAULTS = {"publishClientSend": False, "publishClientReceive": False, "subscribe": True, "unsubscribe": True}
# On a broker that is shared.
_SERVICE_ROLE = "localcloud"
_SERVICE_FILTERS = ("#", "$SYS/#", "$share/#")


class Service(NamedTuple):
    """An account of the cloud itself."""

    username: str
    password: str
    filters: tuple[str, ...]  # what it may publish to and subscribe to


def settings_text(host: str, port: int, plugin: Path, accounts: Path, tls: TlsListener | None = None) -> str:
    """The text of mosquitto.conf. The log goes to stderr, where the cloud reads who comes and goes."""
    secure = () if tls is None else _tls_lines(host, tls)
    lines = (
        # Started as root it would change to a user that cannot read these files; as anyone else it ignores this.
        "user root",
        "per_listener_settings false",
        "allow_anonymous false",
        "persistence false",
        "listener %d %s" % (port, host or "0.0.0.0"),
        *secure,
        "set_tcp_nodelay true",
        "max_packet_size %d" % _MAX_PACKET,
        "log_dest stderr",
        "log_timestamp false",
        "log_type error",
        "log_type warning",
        "log_type notice",
        "log_type information",
        "log_type subscribe",
        # Only here does mosquitto say who published to a topic without a did.
        "log_type debug",
        "connection_messages true",
        "plugin %s" % plugin,
        "plugin_opt_config_file %s" % accounts,
    )
    return "\n".join(lines) + "\n"


def _tls_lines(host: str, tls: TlsListener) -> tuple[str, ...]:
    return (
        "listener %d %s" % (tls.port, host or "0.0.0.0"),
        "certfile %s" % tls.files.certificate,
        "keyfile %s" % tls.files.key,
    )


def accounts_document(
    services: Iterable[Service], logins: Iterable[DeviceLogin], apps: Iterable[tuple[dict[str, Any], list[str]]] = ()
) -> dict[str, Any]:
    """What the plugin reads at start: our own accounts, every device's, and the `apps`: (client, dids)."""
    clients, roles = [], []
    app_roles: dict[str, dict[str, Any]] = {}
    for service in services:
        name = service.username
        roles.append(_role(name, service.filters, service.filters, subscribe=service.filters))
        clients.append({"username": name, "roles": [{"rolename": name}], **_hashed(service.password)})
    for login in filter(is_known, logins):
        roles.append(_device_role(login))
        client = {"username": login.did, "clientid": login.did, "roles": [{"rolename": login.did}]}
        clients.append({**client, "disabled": login.disabled, **_hashed(login.passcode)})
    for client, dids in apps:
        role = _app_role(kept_uid(client), dids)
        clients.append({**client, "roles": [{"rolename": role["rolename"]}]})
        app_roles[role["rolename"]] = role
    return {"defaultACLAccess": _DEFAULTS, "clients": clients, "groups": [], "roles": [*roles, *app_roles.values()]}


def service_commands(username: str) -> list[dict[str, Any]]:
    """What makes an administrator of the plugin a cloud, and the broker one where only what is allowed is served."""
    role = _role(_SERVICE_ROLE, _SERVICE_FILTERS, _SERVICE_FILTERS, subscribe=_SERVICE_FILTERS)
    acls = [{"acltype": kind, "allow": allow} for kind, allow in _DEFAULTS.items()]
    return [
        {"command": "setDefaultACLAccess", "acls": acls},
        {"command": "createRole", **role},
        {"command": "addClientRole", "username": username, "rolename": _SERVICE_ROLE},
    ]


def is_service(client: dict[str, Any]) -> bool:
    """Whether an account, as the plugin shows it, is a cloud's."""
    return any(role.get("rolename") == _SERVICE_ROLE for role in client.get("roles", ()))


def is_known(login: DeviceLogin) -> bool:
    """Whether there is enough to make an account of; an adopted device's passcode comes later."""
    return bool(login.passcode) and access.is_plain_did(login.did)


def admit_commands(login: DeviceLogin) -> list[dict[str, Any]]:
    """What makes the account be what `login` says, whatever it was; a session with the old one ends."""
    client = {"username": login.did, "clientid": login.did, "password": login.passcode}
    commands = [
        *dismiss_commands(login.did),
        {"command": "createRole", **_device_role(login)},
        {"command": "createClient", **client, "roles": [{"rolename": login.did}]},
    ]
    if login.disabled:
        commands.append({"command": "disableClient", "username": login.did})
    return commands


def dismiss_commands(did: str) -> list[dict[str, Any]]:
    """What removes the account; a session ends."""
    return [{"command": "deleteClient", "username": did}, {"command": "deleteRole", "rolename": did}]


def kick_commands(login: DeviceLogin) -> list[dict[str, Any]]:
    """What ends the session of an account that stays."""
    disable = {"command": "disableClient", "username": login.did}
    return [disable] if login.disabled else [disable, {"command": "enableClient", "username": login.did}]


def kept_uid(client: dict[str, Any]) -> str:
    """The uid of an app's account in the plugin's file, "" when the account is no app's."""
    app = parse_app(str(client.get("username", "")))
    return app[1] if app else ""


def admit_app_commands(login: AppLogin, token: str, dids: Iterable[str]) -> list[dict[str, Any]]:
    """What lets an app log in with that token. mosquitto knows one password a name: the newest token is it."""
    username, role = app_username(login.app_id, login.uid), _app_role(login.uid, dids)
    # The hash says later, when the token is not known any more, whether it still holds.
    client = {"username": username, "password": token, "textname": login.token_hash}
    return [
        {"command": "deleteClient", "username": username},
        {"command": "createRole", "rolename": role["rolename"]},
        {"command": "modifyRole", **role},
        {"command": "createClient", **client, "roles": [{"rolename": role["rolename"]}]},
    ]


def rebind_app_commands(uid: str, dids: Iterable[str]) -> list[dict[str, Any]]:
    """What gives the apps of a user these devices and no others."""
    return [{"command": "modifyRole", **_app_role(uid, dids)}]


def _app_role(uid: str, dids: Iterable[str]) -> dict[str, Any]:
    """The client id is not known to a rule of mosquitto: an app may take another one's name, on its own devices."""
    plain = [did for did in dids if access.is_plain_did(did)]
    receive = [topic % did for did in plain for topic in ("dev2app/%s", "dev2app/%s/+")]
    return _role("apps of " + uid, ["app2dev/%s/+" % did for did in plain], receive, subscribe=())


def _device_role(login: DeviceLogin) -> dict[str, Any]:
    sent = access.publish_filters(login.did)
    return _role(login.did, sent, access.receive_filters(login.did, login.product_key), subscribe=())


def _role(name: str, send: Iterable[str], receive: Iterable[str], subscribe: Iterable[str]) -> dict[str, Any]:
    acls = [("publishClientSend", topic) for topic in send]
    acls += [("publishClientReceive", topic) for topic in receive]
    # Control topics are the one place where the default, which is to grant every subscription, does not hold.
    acls += [("subscribePattern", topic) for topic in subscribe]
    return {
        "rolename": name,
        "acls": [{"acltype": kind, "topic": topic, "priority": 0, "allow": True} for kind, topic in acls],
    }


def _hashed(password: str) -> dict[str, Any]:
    salt = secrets.token_bytes(12)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _ITERATIONS, 64)
    return {
        "password": base64.b64encode(digest).decode(),
        "salt": base64.b64encode(salt).decode(),
        "iterations": _ITERATIONS,
    }
