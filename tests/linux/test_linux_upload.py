"""A file of the MCU goes up through the whole port: serial line, agent, outbox, broker."""

import asyncio
import hashlib

from gagent_linux.gateway import Gateway
from gagent_linux.settings import PortSettings, Settings
from testkit.broker_stub import BrokerStub
from testkit.device_api_stub import DeviceApiStub, did_of
from testkit.heard import LogText, in_loop, until
from testkit.pty_pair import PtyPair

from gagent import wire
from mcu_proto.const import CMD_GET_INFO, CMD_MODULE_STATUS, CMD_READY, MCU, STATUS_CLOUD, TRANSFER_REQUESTS
from mcu_proto.link import Acked, McuLink, Received, SendSerial
from mcu_proto.mcu_message import build_device_info, parse_module_status
from mcu_proto.message import DeviceInfo
from mcu_proto.transfer import NeedData
from mcu_proto.transfer_sender import TransferSender

MAC = "A0B1C2D3E4F5"
FILE = bytes(range(256)) * 40
INFO = DeviceInfo("00000004", "00000002", "00000001", "00000001", "0" * 32, 0, 0, None, None)


class UploadingMcu:
    """An MCU that sends one file as soon as the module is online."""

    def __init__(self, folder):
        self.pty = PtyPair(folder, "mcu")
        self._link = McuLink(MCU, hold=(CMD_GET_INFO, CMD_READY), serves=TRANSFER_REQUESTS)
        self._sender = TransferSender(self._link, len(FILE), hashlib.md5(FILE).hexdigest().encode())
        self._has_begun = False

    def power_on(self):
        self.pty.plug_in()
        self.pty.watch(lambda data: self._perform(self._link.receive_bytes(data, _now())))

    def _perform(self, items):
        for item in items:
            if isinstance(item, SendSerial):
                self.pty.write(item.data)
            elif isinstance(item, Received):
                self._on_request(item.frame)
            elif isinstance(item, Acked) and self._sender.owns(item.token):
                self._perform(self._sender.acked(item.token, _now()))
            elif isinstance(item, NeedData):
                self._perform(self._sender.give(FILE[item.offset : item.offset + item.size], _now()))

    def _on_request(self, frame):
        if frame.cmd == CMD_GET_INFO:
            self._perform(self._link.reply(frame, build_device_info(INFO)))
        elif frame.cmd == CMD_READY:
            self._perform(self._sender.receive(frame, _now()))
        elif frame.cmd == CMD_MODULE_STATUS and not self._has_begun:
            self._has_begun = bool(parse_module_status(frame.payload) & STATUS_CLOUD)
            if self._has_begun:
                self._perform(self._sender.start(_now()))


def test_a_file_of_the_mcu_reaches_the_cloud_whole(tmp_path):
    async def scene():
        log = LogText()
        mcu = UploadingMcu(tmp_path)
        mcu.power_on()
        async with BrokerStub().running() as broker, DeviceApiStub(broker.port).running() as api:
            settings = Settings((PortSettings("mcu", mcu.pty.path, 9600, MAC),), str(tmp_path / "state"), api.url)
            gateway = Gateway(settings, log.logger, log.redactor)
            gateway.start()
            try:
                whole = ("dev2app/" + did_of(MAC), wire.encode(wire.CLOUD_REPORT, FILE))
                await until(lambda: whole in broker.published, "the file is published", log.getvalue)
                await log.says("a file of %d bytes" % len(FILE))
            finally:
                gateway.stop()

    in_loop(scene())


def _now():
    return int(asyncio.get_running_loop().time() * 1000)
