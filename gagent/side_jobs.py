"""What few appliances need beside the relay: files of the MCU, devices behind it, firmware. Loaded with the first.

    commands of the MCU ──┬── Upload        19 1d 1f    a file goes up
                          ├── Subdevices    53          devices behind a gateway register
                          ├── OtaSession    1b 27       firmware goes down
    offers of the cloud ──┘── Transactions  23          firmware for others

Each of the four is loaded when it is needed itself: on a chip a module costs heap from the moment it is there.
"""

from mcu_proto.const import (
    CMD_READY,
    CMD_REGISTER_SUBDEVICES,
    CMD_STOP_RECEIVING,
    CMD_SUBDEVICES_REGISTERED,
    CMD_TRANSACTION,
    CMD_TRANSACTION_RESULT,
)

from . import topics, wire
from .cloud import Offer
from .effects import NOTICE_UPLOAD, MqttPublish, Notice
from .firmware import KIND_MCU


class SideJobs:
    """`config` to `max_firmware` are the agent's; `from_mcu(items, now, out)` passes on what the MCU's session says."""

    def __init__(self, config, urandom, crypto, mcu, cloud, relay, from_mcu, max_upload, max_firmware):
        self._config = config
        self._urandom = urandom
        self._crypto = crypto
        self._mcu = mcu
        self._cloud = cloud
        self._relay = relay
        self._from_mcu = from_mcu
        self._max_upload = max_upload
        self._max_firmware = max_firmware
        self._upload = self._subdevices = self._ota = self._transactions = None

    def receive(self, frame, now, out):
        """A request of the MCU about one of them."""
        cmd = frame.cmd
        if cmd == CMD_REGISTER_SUBDEVICES:
            self._devices().receive(frame, self._cloud.is_online(), now, out)
        elif cmd == CMD_READY or cmd == CMD_STOP_RECEIVING:
            self.firmware().receive(frame, now, out)
        elif cmd == CMD_TRANSACTION:
            self._others().receive(frame, self._cloud.is_online(), now, out)
        else:
            self._files().receive(frame, now, out)

    def offered(self, offer, now, out):
        """The cloud has firmware."""
        config, info = self._config, self._mcu.info
        if offer.kind == KIND_MCU:
            versions = (info.hard_ver, info.soft_ver)
        else:
            versions = (config.hard_version, config.soft_version)
        self.firmware().offered(offer, versions, now, out)

    def acked(self, token, now, out):
        """An Acked of the link that is no control's."""
        if self._ota is not None:
            self._ota.acked(token, now, out)

    def unacked(self, failed, now, out):
        """A Failed of the link that is no control's."""
        if self._ota is not None:
            self._ota.unacked(failed, now, out)

    def mcu_lost(self):
        """The MCU is gone, or begins anew."""
        if self._ota is not None:
            self._ota.mcu_lost()

    def mcu_ready(self, info, now, out):
        """A handshake is done."""
        # A file that was on its way has no sender any more.
        self._upload = None
        if self._ota is not None:
            self._ota.mcu_ready(info.soft_ver, now, out)

    def http_response(self, ref, status, body, now, out) -> bool:
        """The answer to HttpRequest `ref`; False when it was asked by none of them."""
        for asker in (self._subdevices, self._transactions):
            if asker is not None and asker.http_response(ref, status, body, now, out):
                return True
        return False

    def http_failed(self, ref, now, out) -> bool:
        """HttpRequest `ref` got no answer; False when it was asked by none of them."""
        for asker in (self._subdevices, self._transactions):
            if asker is not None and asker.http_failed(ref, now, out):
                return True
        return False

    def handle_timeout(self, now, out):
        for job in (self._upload, self._ota):
            if job is not None:
                job.handle_timeout(now, out)

    def next_timeout(self) -> "int | None":
        first = None
        for job in (self._upload, self._ota):
            at = None if job is None else job.next_timeout()
            if at is not None and (first is None or at < first):
                first = at
        return first

    def firmware(self):
        """The conversation about firmware."""
        if self._ota is None:
            from .ota import OtaSession

            self._ota = OtaSession(
                self._config,
                self._mcu.link,
                self._crypto,
                self._max_firmware,
                self._cloud.check_firmware,
                self._ask_mcu,
                self._tell_firmware,
            )
        return self._ota

    def snapshot(self) -> dict:
        """How far an upgrade is; {} when there was none."""
        return {} if self._ota is None else self._ota.snapshot()

    def _files(self):
        if self._upload is None:
            from .upload import Upload

            self._upload = Upload(self._mcu.link, self._max_upload, self._crypto.md5, self._publish_file)
        return self._upload

    def _publish_file(self, file, out):
        if self._relay.publish_file(file, out):
            out.append(Notice(NOTICE_UPLOAD, len(file)))

    def _devices(self):
        if self._subdevices is None:
            from .subdevices import Subdevices

            self._subdevices = Subdevices(self._config, self._urandom, self._cloud.request, self._send_registered)
        return self._subdevices

    def _send_registered(self, payload, now, out):
        self._from_mcu(self._mcu.request(CMD_SUBDEVICES_REGISTERED, payload, now), now, out)

    def _others(self):
        if self._transactions is None:
            from .transactions import Transactions

            self._transactions = Transactions(self._cloud.request, self._send_result, self._fetch)
        return self._transactions

    def _send_result(self, payload, now, out):
        self._from_mcu(self._mcu.request(CMD_TRANSACTION_RESULT, payload, now), now, out)

    def _fetch(self, version, url, check, done, now, out):
        """The firmware that an MCU wants for the device of its `check`, or for itself when it checked for none."""
        product_key = check.product_key if check else self._config.product_key
        hard_version = check.hard_ver if check else self._mcu.info.hard_ver
        offer = Offer(KIND_MCU, version, url)
        self.firmware().fetch(offer, product_key, hard_version, done, now, out)

    def _ask_mcu(self, now, out):
        self._from_mcu(self._mcu.lost("it has new firmware", now), now, out)

    def _tell_firmware(self, progress, out):
        if self._cloud.is_online():
            payload = wire.encode_service(wire.SERVICE_OTA_PROGRESS, progress)
            out.append(MqttPublish(topics.CLI2SER_REQ, payload, 0))
