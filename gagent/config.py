"""What an agent is: its identity, which a port stores, and the settings that the port gives it.

The identity changes when the cloud gives a did, when the MCU names another product and when the MCU asks for a reset;
each change is a `SaveConfig` effect with `to_record()`.
"""

from .errors import ConfigError

# Reference agents draw ten letters and never a Z; clouds and apps take it as it comes.
_PASSCODE_LENGTH = 10
_PASSCODE_LETTERS = 25

# The version that the reference agent tells.
SOFT_VERSION = "04020006"


class AgentConfig:
    """`record` is a stored identity (only `mac` is needed at first), `api_url` the root of the device API."""

    def __init__(self, record, api_url, hard_version="000LINUX", soft_version=SOFT_VERSION, tz_minutes=480):
        self.mac = _checked_text(record, "mac", 32)
        self.product_key = _checked_text(record, "product_key", 32)
        self.did = _checked_text(record, "did", 22)
        self.passcode = _checked_text(record, "passcode", 16)
        self.old_did = _checked_text(record, "old_did", 22)
        self.old_passcode = _checked_text(record, "old_passcode", 16)
        if not self.mac:
            raise ConfigError("mac: missing")
        # "<product key>/<mac>" -> [did, passcode] of the devices behind a gateway.
        self.subdevices = _checked_subdevices(record.get("subdevices", {}))
        # Product key -> public key that signed its first signed firmware.
        self.firmware_keys = _checked_keys(record.get("firmware_keys", {}))
        # How firmware without a signature is met (SIGNATURES_* of `ota`), and the key that is to have signed it; a port
        # that can check signatures sets both.
        self.signatures = 0
        self.firmware_key = ""
        self.api_url = api_url
        self.hard_version = hard_version
        self.soft_version = soft_version
        self.tz_minutes = tz_minutes
        # The address told to an MCU that asks for module info; a port sets it when it knows.
        self.ip = ""

    def to_record(self) -> dict:
        """The identity as a plain dict of texts, with the sub-devices and firmware keys where there are any."""
        record = {
            "mac": self.mac,
            "product_key": self.product_key,
            "did": self.did,
            "passcode": self.passcode,
            "old_did": self.old_did,
            "old_passcode": self.old_passcode,
        }
        if self.subdevices:
            record["subdevices"] = dict(self.subdevices)
        if self.firmware_keys:
            record["firmware_keys"] = dict(self.firmware_keys)
        return record

    def renew(self, product_key, urandom):
        """Become another device: the old did waits for its removal from the cloud, a new passcode is drawn."""
        if self.did:
            self.old_did = self.did
            self.old_passcode = self.passcode
        self.did = ""
        self.product_key = product_key
        self.passcode = self.draw_passcode(urandom)

    def draw_passcode(self, urandom) -> str:
        """A new passcode."""
        return "".join([chr(65 + b % _PASSCODE_LETTERS) for b in urandom(_PASSCODE_LENGTH)])


def _checked_text(record, name, size) -> str:
    value = record.get(name, "")
    if not isinstance(value, str) or len(value) > size or not _is_plain(value):
        raise ConfigError("%s: expected a text of at most %d letters, digits, '.', '_', '-'" % (name, size))
    return value


def _checked_subdevices(table) -> dict:
    out = {}
    try:
        for key, pair in table.items():
            did, passcode = pair
            if not (_is_plain(did) and _is_plain(passcode)):
                raise ValueError
            out[key] = [did, passcode]
    except (AttributeError, TypeError, ValueError):
        raise ConfigError('subdevices: expected "<product key>/<mac>": [did, passcode]')  # noqa: B904
    return out


def _checked_keys(table) -> dict:
    out = {}
    try:
        for product_key, key in table.items():
            if not (_is_plain(product_key) and _is_plain(key) and len(key) == 64):
                raise ValueError
            out[product_key] = key
    except (AttributeError, TypeError, ValueError):
        raise ConfigError('firmware_keys: expected "<product key>": "<64 hex digits>"')  # noqa: B904
    return out


def _is_plain(text) -> bool:
    # Form bodies of the device API are not percent-encoded: a stray & or = would change their meaning.
    return all(c in "-._" or "0" <= c <= "9" or "A" <= c <= "Z" or "a" <= c <= "z" for c in text)
