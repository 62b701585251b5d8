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
from localcloud.broker import DeviceLogin

# What the plugin itself uses: passcodes are random, so stretching them would buy nothing and cost each login.
_ITERATIONS = 101
# The longest message: a file of 65 kB in one envelope, and the topic.
_MAX_PACKET = 0x20000


class Service(NamedTuple):
    """An account of the cloud itself."""

    username: str
    password: str
    filters: tuple[str, ...]  # what it may publish to and subscribe to


def settings_text(host: str, port: int, plugin: Path, accounts: Path) -> str:
    """The text of mosquitto.conf. The log goes to stderr, where the cloud reads who comes and goes."""
    lines = (
        # Started as root it would change to a user that cannot read these files; as anyone else it ignores this.
        "user root",
        "per_listener_settings false",
        "allow_anonymous false",
        "persistence false",
        "listener %d %s" % (port, host or "0.0.0.0"),
        "set_tcp_nodelay true",
        "max_packet_size %d" % _MAX_PACKET,
        "log_dest stderr",
        "log_timestamp false",
        "log_type error",
        "log_type warning",
        "log_type notice",
        "log_type information",
        "log_type subscribe",
        "connection_messages true",
        "plugin %s" % plugin,
        "plugin_opt_config_file %s" % accounts,
    )
    return "\n".join(lines) + "\n"


def accounts_document(services: Iterable[Service], logins: Iterable[DeviceLogin]) -> dict[str, Any]:
    """What the plugin reads at start: our own accounts and every device's."""
    clients, roles = [], []
    for service in services:
        name = service.username
        roles.append(_role(name, service.filters, service.filters, subscribe=service.filters))
        clients.append({"username": name, "roles": [{"rolename": name}], **_hashed(service.password)})
    for login in filter(is_known, logins):
        roles.append(_device_role(login))
        client = {"username": login.did, "clientid": login.did, "roles": [{"rolename": login.did}]}
        clients.append({**client, "disabled": login.disabled, **_hashed(login.passcode)})
    defaults = {"publishClientSend": False, "publishClientReceive": False, "subscribe": True, "unsubscribe": True}
    return {"defaultACLAccess": defaults, "clients": clients, "groups": [], "roles": roles}


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
