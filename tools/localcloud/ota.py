"""The device API's part in upgrades: checks and downloads. Cloud manual, device side, 3.6 to 3.8.

    POST /dev/ota/v4.1/update_and_check/<did>   which version runs; 200 with a newer one, else 404 and 9500 or 9502
    GET  /dev/ota/v4.1/latest                   the same for any product, without a device
    GET  /dev/ota/v4.1/download/<id>            the image; also in parts, by Range
    GET  /dev/ota/target_fid, /dev/ota/download/<id>   the 4.0 generation

Original modules read the raw bytes: head below 600 bytes, its spelling exact, and the first part of the image in the
same segment.
"""

import re
from typing import TYPE_CHECKING

from gagent.firmware import KIND_MCU

from .device_api import authenticated, word
from .errors import DEVICE_DISABLED, FIRMWARE_NOT_FOUND, FORM_INVALID, NO_PUSH_RULE, NOT_IN_EFFECT, ApiError
from .request import Blob, Request, Text
from .store.devices import VERSIONS
from .store.firmware import Firmware

if TYPE_CHECKING:
    from .app import Cloud

_MAX_KEY = 32
_DOWNLOAD = "/dev/ota/v4.1/download/%d"
_OLD_DOWNLOAD = "/dev/ota/download/%d"


async def update_and_check(request: Request, cloud: "Cloud") -> Text:
    """Keeps the version that runs; offers a newer one."""
    form = request.form()
    device = await authenticated(request.params["did"], word(form, "passcode"), cloud)
    if device.is_disabled:
        raise ApiError(DEVICE_DISABLED)
    kind = _kind(form.text("type", 1))
    hard_version, soft_version = word(form, "hard_version"), word(form, "soft_version")
    cloud.store.devices.learn(device.did, **dict(zip(VERSIONS[str(kind)], (hard_version, soft_version), strict=True)))
    firmware, is_any = cloud.ota.offer(device, kind, hard_version, soft_version)
    if firmware is None:
        raise ApiError(NOT_IN_EFFECT if is_any else NO_PUSH_RULE)
    return Text(_offer(firmware, request, cloud))


async def latest(request: Request, cloud: "Cloud") -> Text:
    """What an MCU asks on behalf of another device, of any product."""
    query = request.query
    kind = _kind(query.optional_text("type", 1) or str(KIND_MCU))
    product_key = query.optional_text("product_key", _MAX_KEY).lower()
    running = query.optional_text("hard_version", 32), query.optional_text("soft_version", 32)
    firmware = cloud.ota.offer_any(product_key, kind, *running)
    if firmware is None:
        raise ApiError(NO_PUSH_RULE)
    return Text(_offer(firmware, request, cloud))


async def target(request: Request, cloud: "Cloud") -> Text:
    """The check of the 4.0 generation, by numbers: the caller's own when there is nothing for it."""
    query = request.query
    fid = query.number("current_fid", 0, 2**32 - 1, default=1)
    device = cloud.store.devices.get(query.optional_text("did", 32))
    hard_version, soft_version = query.optional_text("hard_version", 32), query.optional_text("soft_version", 32)
    if device is not None and not device.is_disabled and hard_version and soft_version:
        kind = _kind(query.optional_text("type", 1) or "1")
        firmware, _ = cloud.ota.offer(device, kind, hard_version, soft_version)
        fid = firmware.id if firmware else fid
    return Text("target_fid=%d&download_url=%s&" % (fid, _url(_OLD_DOWNLOAD % fid, request, cloud)))


async def download(request: Request, cloud: "Cloud") -> Blob:
    """The image, or the part of it that `Range` asks for."""
    number = request.params["id"]
    firmware = cloud.store.firmware.get(int(number)) if re.fullmatch(r"[0-9]{1,9}", number) else None
    if firmware is None:
        raise ApiError(FIRMWARE_NOT_FOUND)
    part = re.fullmatch(r"bytes=([0-9]{1,9})-([0-9]{0,9})", request.headers.get("range", "").strip())
    if part is None:
        return Blob(cloud.store.firmware.read(firmware.id, 0, firmware.size), _heads(firmware))
    first = int(part[1])
    last = min(int(part[2] or firmware.size), firmware.size - 1)
    if not first <= last:
        span = ("Content-Range", "bytes */%d" % firmware.size)
        return Blob(b"", [*_heads(firmware), span], 416)
    content = cloud.store.firmware.read(firmware.id, first, last - first + 1)
    span = ("Content-Range", "bytes %d-%d/%d" % (first, last, firmware.size))
    return Blob(content, [*_heads(firmware), span], 206)


def _heads(firmware: Firmware) -> list[tuple[str, str]]:
    heads = [
        ("Firmware-MD5", firmware.md5),
        ("Soft-Version", firmware.soft_version),
        ("Firmware-Version", firmware.soft_version),
        ("Hard-Version", firmware.hard_version),
        ("Content-Disposition", 'attachment; filename="%s"' % firmware.name),
    ]
    if firmware.signature:
        heads += [("Firmware-Key", firmware.key), ("Firmware-Signature", firmware.signature)]
    return heads


def _kind(text: str) -> int:
    if text not in VERSIONS:
        raise ApiError(FORM_INVALID, "type: expected 1 (module) or 2 (MCU)")
    return int(text)


def _offer(firmware: Firmware, request: Request, cloud: "Cloud") -> str:
    url = _url(_DOWNLOAD % firmware.id, request, cloud)
    return "soft_ver=%s&download_url=%s\r\n" % (firmware.soft_version, url)


def _url(path: str, request: Request, cloud: "Cloud") -> str:
    # Original modules know no other port than 80, and look up all that stands before the path; who came by another port
    # said so.
    host = cloud.advertised_host(request)
    host = "[%s]" % host if ":" in host else host
    port = re.search(r":([0-9]{1,5})$", request.headers.get("host", ""))
    scheme = "https" if port and cloud.https_port == int(port[1]) else "http"
    return "%s://%s%s%s" % (scheme, host, port[0] if port else "", path)
