"""What modules ask over HTTP, generation A. Cloud manual, device side, chapter 3.

    POST   /dev/devices          register: passcode, mac, product_key -> did
    GET    /dev/devices/<did>    provision: where the broker is, what time it is
    DELETE /dev/devices          a reset device gives its old did back
    /dev/ota/…                   which versions run; there is nothing to upgrade to

Reference modules search the raw bytes of an answer for `did=`, `host=` and the like, so no detail of an error may hold
such a word, and an error never gets a module further than its timer.
"""

import hmac
import time
from typing import TYPE_CHECKING

from . import catalog
from .broker import OFFLINE_RESET, DeviceLogin
from .errors import (
    DEVICE_DISABLED,
    DEVICE_NOT_FOUND,
    DID_PASSCODE_INVALID,
    FORM_INVALID,
    NO_PUSH_RULE,
    PRODUCT_KEY_INVALID,
    ApiError,
)
from .request import Fields, Request, Text
from .store.devices import VERSIONS, Device

if TYPE_CHECKING:
    from .app import Cloud

# Columns of the devices table.
MAX_FIELD = 32
# Modules expect a log sink to be named; the switches behind it stay off, so nothing is ever sent there.
LOG_PORT = 1884


async def register(request: Request, cloud: "Cloud") -> Text:
    """The did of a device. The same passcode gets the same did; another one means the device was reset."""
    form = request.form()
    passcode = _word(form, "passcode")
    mac = _word(form, "mac")
    product_key = _word(form, "product_key").lower()
    if cloud.store.products.get(product_key) is None:
        _admit_product(product_key, mac, cloud)
    known = cloud.store.devices.by_mac(product_key, mac)
    if known is None:
        did = cloud.store.devices.add(product_key, mac, passcode)
        cloud.log.info("device %s registered: %s", mac, did)
    elif _same(known.passcode, passcode):
        did = known.did
    else:
        did = cloud.store.devices.replace(known.did, product_key, mac, passcode)
        cloud.log.info("device %s was reset and registered again: %s, before %s", mac, did, known.did)
        await cloud.broker.expel(known.did, OFFLINE_RESET)
    await cloud.broker.admit(DeviceLogin(did, passcode, product_key, False))
    return Text("did=%s" % did, status=201)


async def provision(request: Request, cloud: "Cloud") -> Text:
    """Where the broker is and what time it is. An unknown did of the right form is adopted, if the settings say so."""
    did = request.params["did"]
    device = cloud.store.devices.get(did)
    if device is None:
        login = cloud.accounts.adopt(did)
        if login is None:
            raise ApiError(DEVICE_NOT_FOUND)
        cloud.log.info("device %s comes from another cloud and is adopted", did)
        await cloud.broker.admit(login)
    elif device.is_disabled:
        raise ApiError(DEVICE_DISABLED)
    host = cloud.advertised_host(request)
    return Text(
        "host=%s&port=%d&server_ts=%d&log_host=%s&log_port=%d&biz_log=0&sys_log=0"
        % (host, cloud.mqtt_port, time.time(), host, LOG_PORT)
    )


async def disable(request: Request, cloud: "Cloud") -> Text:
    """Takes an old did back. An unknown or disabled one is no error: the module would ask for ever."""
    form = request.form()
    device = cloud.store.devices.get(_word(form, "did"))
    passcode = _word(form, "passcode")
    if device is None or device.is_disabled:
        return Text("")
    _check_passcode(device, passcode)
    cloud.store.devices.disable(device.did)
    cloud.log.info("device %s was reset: disabled", device.did)
    await cloud.broker.expel(device.did, OFFLINE_RESET)
    return Text("")


async def update_and_check(request: Request, cloud: "Cloud") -> Text:
    """Keeps the version that runs, says that there is nothing newer."""
    device = cloud.store.devices.get(request.params["did"])
    if device is None:
        raise ApiError(DEVICE_NOT_FOUND)
    form = request.form()
    passcode = _word(form, "passcode")
    # The passcode of an adopted device may not be known yet; this check comes at the same time as its first login.
    if device.passcode:
        _check_passcode(device, passcode)
    kind = form.text("type", 1)
    if kind not in VERSIONS:
        raise ApiError(FORM_INVALID, "type: expected 1 (module) or 2 (MCU)")
    running = (_word(form, "hard_version"), _word(form, "soft_version"))
    cloud.store.devices.learn(device.did, **dict(zip(VERSIONS[kind], running, strict=True)))
    raise ApiError(NO_PUSH_RULE)


async def latest_firmware(request: Request, cloud: "Cloud") -> Text:
    """What an MCU asks on behalf of any product: nothing newer."""
    raise ApiError(NO_PUSH_RULE)


async def target_firmware(request: Request, cloud: "Cloud") -> Text:
    """The upgrade check of the 4.0 generation: the target is what the caller has, so it stays as it is."""
    fid = request.query.number("current_fid", 0, 2**32 - 1, default=1)
    host = cloud.advertised_host(request)
    return Text("target_fid=%d&download_url=http://%s/dev/ota/download/%d&" % (fid, host, fid))


async def third_party(request: Request, cloud: "Cloud") -> Text:
    """Modules with a third-party cloud upload its identity until they see a 200; there is no such cloud here."""
    return Text("")


def _admit_product(product_key: str, mac: str, cloud: "Cloud") -> None:
    if cloud.settings.products == "any":
        try:
            catalog.add_transparent_product(cloud.store, product_key)
        except catalog.CatalogError as error:
            raise ApiError(PRODUCT_KEY_INVALID, str(error)) from None
        cloud.log.info("product %s added as a transparent one, for device %s", product_key, mac)
        return
    cloud.log.warning("device %s has product key %s, which is unknown: see `localcloud product add`", mac, product_key)
    raise ApiError(PRODUCT_KEY_INVALID)


def _check_passcode(device: Device, passcode: str) -> None:
    if not device.passcode or not _same(device.passcode, passcode):
        raise ApiError(DID_PASSCODE_INVALID)


def _same(known: str, given: str) -> bool:
    return hmac.compare_digest(known.encode(), given.encode())


def _word(form: Fields, name: str) -> str:
    value = form.text(name, MAX_FIELD)
    if not value.isascii() or " " in value:
        raise ApiError(FORM_INVALID, "%s: expected ASCII without spaces" % name)
    return value
