"""What modules ask over HTTP, generation A. Cloud manual, device side, chapter 3. For generation B see `device_api_b`.

    POST   /dev/devices          register: passcode, mac, product_key -> did
    GET    /dev/devices/<did>    provision: where the broker is, what time it is
    DELETE /dev/devices          a reset device gives its old did back

Reference modules search the raw bytes of an answer for `did=`, `host=` and the like, so no detail of an error may hold
such a word, and an error never gets a module further than its timer.
"""

import hmac
import time
from typing import TYPE_CHECKING

from . import catalog
from .broker import DeviceLogin
from .errors import (
    DEVICE_DISABLED,
    DEVICE_NOT_FOUND,
    DID_PASSCODE_INVALID,
    FORM_INVALID,
    PRODUCT_KEY_INVALID,
    ApiError,
)
from .request import Fields, Request, Text
from .store.devices import Device

if TYPE_CHECKING:
    from .app import Cloud

# Columns of the devices table.
MAX_FIELD = 32
# Modules expect a log sink to be named; the switches behind it stay off, so nothing is ever sent there.
LOG_PORT = 1884


async def register(request: Request, cloud: "Cloud") -> Text:
    """The did of a device. The same passcode gets the same did; another one means the device was reset."""
    form = request.form()
    passcode, mac = word(form, "passcode"), word(form, "mac")
    product_key = word(form, "product_key").lower()
    if cloud.store.products.get(product_key) is None:
        _admit_product(product_key, mac, cloud)
    return Text("did=%s" % await did_of(product_key, mac, passcode, cloud), status=201)


async def did_of(product_key: str, mac: str, passcode: str, cloud: "Cloud") -> str:
    """The did of a device of a known product, registered if need be; it can log in when this returns."""
    known = cloud.store.devices.by_mac(product_key, mac)
    if known is None:
        did = cloud.store.devices.add(product_key, mac, passcode)
        cloud.log.info("device %s registered: %s", mac, did)
    elif _same(known.passcode, passcode):
        did = known.did
    else:
        uids = cloud.store.bindings.users_of(known.did)
        did = cloud.store.devices.replace(known.did, product_key, mac, passcode)
        cloud.log.info("device %s was reset and registered again: %s, before %s", mac, did, known.did)
        await cloud.devices.expel_reset(known.did, uids)
    await cloud.broker.admit(DeviceLogin(did, passcode, product_key, False))
    return did


async def provision(request: Request, cloud: "Cloud") -> Text:
    """Where the broker is and what time it is. An unknown did of the right form is adopted, if the settings say so."""
    return Text(await provision_text(request.params["did"], cloud.mqtt_port, request, cloud))


async def provision_text(did: str, port: int, request: Request, cloud: "Cloud") -> str:
    """Where the broker is, on which of its ports, and what time it is; ApiError when the did may not know."""
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
    return "host=%s&port=%d&server_ts=%d&log_host=%s&log_port=%d&biz_log=0&sys_log=0" % (
        host,
        port,
        time.time(),
        host,
        LOG_PORT,
    )


async def disable(request: Request, cloud: "Cloud") -> Text:
    """Takes an old did back. An unknown or disabled one is no error: the module would ask for ever."""
    form = request.form()
    device = cloud.store.devices.get(word(form, "did"))
    passcode = word(form, "passcode")
    if device is None or device.is_disabled:
        return Text("")
    _check_passcode(device, passcode)
    await cloud.devices.reset(device.did)
    return Text("")


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


async def authenticated(did: str, passcode: str, cloud: "Cloud") -> Device:
    """The device that says it is `did`; ApiError when it is not, or not known. An adopted one is believed, once."""
    device = cloud.store.devices.get(did)
    if device is None:
        raise ApiError(DEVICE_NOT_FOUND)
    if device.passcode:
        _check_passcode(device, passcode)
    elif not device.is_disabled:
        # mosquitto tells nobody what a device tried to log in with; this comes at the same time, and tells.
        cloud.accounts.learn_passcode(did, passcode)
        await cloud.broker.admit(DeviceLogin(did, passcode, device.product_key, False))
    return device


def _check_passcode(device: Device, passcode: str) -> None:
    if not device.passcode or not _same(device.passcode, passcode):
        raise ApiError(DID_PASSCODE_INVALID)


def _same(known: str, given: str) -> bool:
    return hmac.compare_digest(known.encode(), given.encode())


def word(form: Fields, name: str) -> str:
    """A field of a module: ASCII without spaces; ApiError names what is wrong."""
    value = form.text(name, MAX_FIELD)
    if not value.isascii() or " " in value:
        raise ApiError(FORM_INVALID, "%s: expected ASCII without spaces" % name)
    return value
