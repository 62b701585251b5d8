"""`gagent identity`: the stored identity of a port shown, taken to a file, brought back, and forgotten for good.

What belongs to a port is every file of the state directory whose name begins with the port's and a dot. To forget it is
to remove those, and to prove it: the directory is listed, and searched for every secret that was in them, as text and
as hex. (A file system may keep old blocks of a removed file until they are used again: to give a disk away, erase it.)
"""

import os
import ssl
from typing import Any

from gagent import device_api
from gagent.config import AgentConfig
from gagent.errors import ConfigError

from .control_socket import NotAllowed, ask
from .http_client import HttpError, fetch
from .redactor import secrets_of, spellings
from .storage import IdentityFile, StorageError

_SUFFIX = ".json"
# Whole files of the state directory are searched, and none of ours is larger.
_MAX_SEARCHED = 1 << 30


class IdentityError(Exception):
    """It was not done; the text says why and what to do."""


def names(state: str) -> list[str]:
    """Every port that has an identity in the directory `state`."""
    try:
        return sorted(name.removesuffix(_SUFFIX) for name in os.listdir(state) if _is_identity(name))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise IdentityError("%s cannot be read: %s" % (state, error.strerror)) from error


def load(state: str, name: str) -> dict[str, Any]:
    """The record of a port; IdentityError when there is none."""
    return _load(IdentityFile(state, name))


def describe(record: dict[str, Any]) -> list[tuple[str, str]]:
    """(what, value) of a record, without its secrets."""
    lines = [(key, record.get(key) or "-") for key in ("mac", "product_key", "did", "old_did")]
    lines.append(("passcode", "kept, not shown" if record.get("passcode") else "-"))
    lines += [("sub-device", "%s, did %s" % (key, did)) for key, (did, _) in record.get("subdevices", {}).items()]
    return lines


def export_to(record: dict[str, Any], path: str) -> None:
    """Write `record`, secrets included, to a new file of mode 0600."""
    if os.path.lexists(path):
        raise IdentityError("%s exists: choose another name, or remove it" % path)
    _save(IdentityFile.at(path), record)


def load_export(path: str) -> dict[str, Any]:
    """The record in a file that was exported; IdentityError when it is none."""
    return _load(IdentityFile.at(path))


def import_from(record: dict[str, Any], state: str, name: str) -> None:
    """Make `record` the identity of a port that has none; a running process must not serve it."""
    file = IdentityFile(state, name)
    if os.path.exists(file.path):
        raise IdentityError("%s exists: with --force it is replaced, and the identity in it is lost" % file.path)
    replace_by(record, state, name)


def replace_by(record: dict[str, Any], state: str, name: str) -> None:
    """Make `record` the identity of a port, whatever was there before."""
    _refuse_running(state, name)
    _save(IdentityFile(state, name), record)


def disable(record: dict[str, Any], api: str, tls: ssl.SSLContext | None) -> list[str]:
    """Take every did of `record` out of service at the cloud; the dids. IdentityError when the cloud does not do it."""
    pairs = [(record.get("did", ""), record.get("passcode", ""))]
    pairs += [(record.get("old_did", ""), record.get("old_passcode", ""))]
    pairs += record.get("subdevices", {}).values()
    dids = []
    for did, passcode in pairs:
        if did:
            _disable(did, passcode, api, tls)
            dids.append(did)
    return dids


def forget(state: str, name: str) -> list[str]:
    """Remove all that is kept for a port, and prove it; the files removed. IdentityError when something is left."""
    _refuse_running(state, name)
    ours = _files_of(state, name)
    if not ours:
        raise IdentityError("nothing is kept for %s in %s" % (name, state))
    traces = _traces(state, name)
    # A write that a power cut ended leaves its first half under another name.
    ours += [path for path in _all_files(state) if os.path.basename(path).startswith(".") and _holds(path, traces)]
    for path in ours:
        os.unlink(path)
    _sync(state)
    _prove(state, name, traces)
    return [os.path.relpath(path, state) for path in ours]


def _is_identity(name: str) -> bool:
    return name.endswith(_SUFFIX) and not name.startswith(".")


def _load(file: IdentityFile) -> dict[str, Any]:
    try:
        record = file.load()
        if record is None:
            raise IdentityError("there is no identity file %s" % file.path)
        AgentConfig(record, "http://localhost")  # names the key that is wrong
    except (StorageError, ConfigError) as error:
        raise IdentityError("%s: %s" % (file.path, error)) from error
    return record


def _save(file: IdentityFile, record: dict[str, Any]) -> None:
    try:
        file.save(record)
    except StorageError as error:
        raise IdentityError(str(error)) from error


def _refuse_running(state: str, name: str) -> None:
    try:
        processes = ask(state)
    except NotAllowed as error:
        raise IdentityError(str(error)) from error
    for process in processes:
        if any(port["name"] == name for port in process["ports"]):
            raise IdentityError(
                "%s is served by process %d: stop that, or take the port out of its settings and send it SIGHUP"
                % (name, process["pid"])
            )


def _disable(did: str, passcode: str, api: str, tls: ssl.SSLContext | None) -> None:
    method, path, body = device_api.disable(did, passcode)
    try:
        status, _ = fetch(method, api + path, body, tls)
    except HttpError as error:
        raise IdentityError("did %s is not disabled, and nothing was removed here: %s" % (did, error)) from error
    # 404: it does not know the did, which is as good.
    if status not in (200, 404):
        raise IdentityError("did %s is not disabled, and nothing was removed here: HTTP %d of %s" % (did, status, api))


def _files_of(state: str, name: str) -> list[str]:
    # With ports `a` and `a.b`, `a.b.json` belongs to the second.
    longer = [other + "." for other in names(state) if other.startswith(name + ".")]
    found = []
    for entry in os.listdir(state) if os.path.isdir(state) else []:
        path = os.path.join(state, entry)
        if entry.startswith(name + ".") and not entry.startswith(tuple(longer)) and os.path.isfile(path):
            found.append(path)
    return sorted(found)


def _traces(state: str, name: str) -> list[bytes]:
    """What must not be found afterwards: passcodes, and the dids they belong to."""
    try:
        record: dict[str, Any] = IdentityFile(state, name).load() or {}
    except StorageError:  # damaged: what it held is not known, but the file goes all the same
        return []
    words = secrets_of(record) + [record.get(key, "") for key in ("did", "old_did")]
    words += [did for did, _ in record.get("subdevices", {}).values()]
    return [spelling.encode() for word in words if word for spelling in spellings(word)]


def _prove(state: str, name: str, traces: list[bytes]) -> None:
    left = _files_of(state, name) + [path for path in _all_files(state) if _holds(path, traces)]
    if left:
        raise IdentityError("not forgotten, secrets of %s are still in: %s" % (name, ", ".join(left)))


def _all_files(state: str) -> list[str]:
    found = [os.path.join(folder, name) for folder, _, files in os.walk(state) for name in files]
    return [path for path in found if os.path.isfile(path)]


def _holds(path: str, traces: list[bytes]) -> bool:
    with open(path, "rb") as file:
        data = file.read(_MAX_SEARCHED)
    return any(trace in data for trace in traces)


def _sync(state: str) -> None:
    descriptor = os.open(state, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
