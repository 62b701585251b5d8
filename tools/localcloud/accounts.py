"""Devices and apps as the broker sees them: what each logs in with, and what is learned of adopted ones. Chapter 3.4.

A device that moves over from another cloud owns a did already and never registers. It is let in as a stub; its
passcode is learned from its first login, its product from the notices it subscribes to.
"""

import re
import time
from collections.abc import Iterator

from .broker import AppLogin, DeviceLogin
from .store.devices import Device, Devices
from .store.store import Store
from .store.users import hash_of

_DID = re.compile(r"[0-9A-Za-z]{22}")
_PRODUCT_KEY = re.compile(r"[0-9a-f]{32}")
# Anyone on the network can make up dids: further ones are unknown until some of these have logged in.
MAX_STUBS = 1000


class Accounts:
    """`adopt` says whether an unknown did is let in, `max_stubs` how many may wait for their first login."""

    def __init__(self, store: Store, adopt: bool, max_stubs: int = MAX_STUBS) -> None:
        self._devices: Devices = store.devices
        self._users = store.users
        self._bindings = store.bindings
        self._adopt = adopt
        self._max_stubs = max_stubs

    def device(self, did: str) -> DeviceLogin | None:
        """The login of a device, one without a passcode for a did that would be adopted, else None."""
        device = self._devices.get(did)
        if device is not None:
            return login_of(device)
        return DeviceLogin(did, "", "", False) if self._adoptable(did) else None

    def devices(self) -> Iterator[DeviceLogin]:
        """Every device there is."""
        return map(login_of, self._devices.all())

    def adopt(self, did: str) -> DeviceLogin | None:
        """Makes a stub of an unknown did; None when it may not come in."""
        if not self._adoptable(did):
            return None
        self._devices.adopt(did)
        return DeviceLogin(did, "", "", False)

    def learn_passcode(self, did: str, passcode: str) -> None:
        """Keeps the passcode of the first login; a stub is made when the did was never seen over HTTP."""
        device = self._devices.get(did)
        if device is None and self.adopt(did) is None:
            return
        if device is None or not device.passcode:
            self._devices.learn(did, passcode=passcode)

    def learn_product_key(self, did: str, product_key: str) -> None:
        """Keeps the product of a device that has none yet."""
        product_key = product_key.lower()
        device = self._devices.get(did)
        if device is not None and not device.product_key and _PRODUCT_KEY.fullmatch(product_key):
            self._devices.learn(did, product_key=product_key)

    def app(self, app_id: str, uid: str, token: str) -> AppLogin | None:
        """The login of an app with a token of that user that is not over."""
        found = self._users.by_token(token)
        if found is None or found[0].uid != uid or found[1] <= time.time():
            return None
        return AppLogin(app_id, uid, hash_of(token))

    def is_bound(self, uid: str, did: str) -> bool:
        binding = self._bindings.get(uid, did)
        return binding is not None and not binding.device.is_disabled

    def is_token(self, uid: str, token_hash: str) -> bool:
        return self._users.has_token(uid, token_hash, time.time())

    def bound_dids(self, uid: str) -> list[str]:
        return self._bindings.dids_of(uid)

    def _adoptable(self, did: str) -> bool:
        return self._adopt and _DID.fullmatch(did) is not None and self._devices.count_stubs() < self._max_stubs


def login_of(device: Device) -> DeviceLogin:
    """What a device logs in with."""
    return DeviceLogin(device.did, device.passcode, device.product_key, device.is_disabled)
