"""Devices behind a light gateway: registered at the cloud on the MCU's behalf. Serial manual, chapter 9.

    MCU ── 53 product, devices ──▶ one request a device, one at a time ──▶ cloud
    MCU ◀── 55 result, dids ────── when the last one is answered

Their states, controls and reports are P0 of the gateway itself (71, 72, 73) and cross like any other. The HTTP call of
the vendor's modules is not public: here a sub-device registers like a device of its own, with its product and its MAC.
Its did and passcode are kept in the gateway's record, so that the same device gets the same did and can be removed.
"""

from mcu_proto.errors import RemoteError
from mcu_proto.subdevice import RegistrationResult, build_registration_result, parse_registration

from . import device_api
from .effects import NOTICE_IGNORED, NOTICE_SUBDEVICE, Notice, SaveConfig
from .errors import ConfigError

# Of one frame; a record is kept for each.
MAX_DEVICES = 64
_FAILED = 1
_GOOD = 0


class Subdevices:
    """`send(payload, now, out)` sends a 55; `request(request, out)` gives the ref of an HTTP request."""

    def __init__(self, config, urandom, request, send):
        self._config = config
        self._urandom = urandom
        self._request = request
        self._send = send
        self._registration = None
        self._results = []
        self._ref = 0
        self._passcode = ""

    def receive(self, frame, online, now, out):
        """A 53 of the MCU, acked already."""
        try:
            registration = parse_registration(frame.payload)
        except RemoteError as error:
            out.append(Notice(NOTICE_IGNORED, str(error)))
            return
        if self._registration is not None or not online or len(registration.devices) > MAX_DEVICES:
            failed = [(mac, mesh_id, _FAILED, b"") for mac, mesh_id in registration.devices]
            self._send(build_registration_result(RegistrationResult(registration.arg, _FAILED, failed)), now, out)
            return
        self._registration = registration
        self._results = []
        self._next(now, out)

    def http_response(self, ref, status, body, now, out) -> bool:
        """True when the answer was ours."""
        if not ref or ref != self._ref:
            return False
        mac, mesh_id = self._registration.devices[len(self._results)]
        key = _text(self._registration.product_key) + "/" + _text(mac)
        did = ""
        if self._registration.is_reset:
            good = status == 200
            if good:
                self._config.subdevices.pop(key, None)
        else:
            try:
                did = device_api.parse_registration(status, body)
                self._config.subdevices[key] = [did, self._passcode]
            except ConfigError:
                pass  # told to the MCU, who may ask again
            good = bool(did)
        if good:
            out.append(SaveConfig(self._config.to_record()))
            out.append(Notice(NOTICE_SUBDEVICE, _text(mesh_id)))
        self._results.append((mac, mesh_id, _GOOD if good else _FAILED, did.encode()))
        self._next(now, out)
        return True

    def http_failed(self, ref, now, out) -> bool:
        """True when the request was ours."""
        return self.http_response(ref, 0, b"", now, out)

    def _next(self, now, out):
        self._ref = 0
        registration = self._registration
        while len(self._results) < len(registration.devices):
            mac, mesh_id = registration.devices[len(self._results)]
            product_key, mac_text = _text(registration.product_key), _text(mac)
            known = self._config.subdevices.get(product_key + "/" + mac_text)
            if registration.is_reset and known is None:
                # Nothing to remove.
                self._results.append((mac, mesh_id, _GOOD, b""))
                continue
            if registration.is_reset:
                request = device_api.disable(known[0], known[1])
            else:
                self._passcode = known[1] if known else self._config.draw_passcode(self._urandom)
                request = device_api.register_other(self._passcode, mac_text, product_key)
            self._ref = self._request(request, out)
            return
        result = _GOOD if all(row[2] == _GOOD for row in self._results) else _FAILED
        answer = RegistrationResult(registration.arg, result, self._results)
        self._registration = None
        self._send(build_registration_result(answer), now, out)


def _text(data) -> str:
    """What the MCU sent as ASCII letters and digits: it goes into a form body and a record."""
    return "".join([chr(b) for b in data if 48 <= b <= 57 or 65 <= b <= 90 or 97 <= b <= 122])
