"""Reports from the MCU to the broker: acked when they are safe, QoS 1, in order, none lost and one under way."""

import asyncio
import contextlib
import threading
from typing import Any

import pytest
from gagent_linux.alert_watch import AlertWatch
from gagent_linux.delivery import Delivery
from gagent_linux.gateway import Gateway
from gagent_linux.outbox import ALWAYS, OFFLINE, Outbox, OutboxRules
from gagent_linux.outbox_file import OutboxFile
from gagent_linux.settings import PortSettings, Settings
from gagent_linux.uplink import Uplink
from testkit import mqtt_script as script
from testkit.cloud_running import LAMP
from testkit.device_api_stub import DeviceApiStub, did_of
from testkit.heard import Heard, LogText, in_loop, until
from testkit.mosquitto_running import mosquitto_running
from testkit.numbering_mcu import NumberingMcu, number_of
from testkit.raw_server import serving

from gagent import wire
from gagent.effects import MqttConnect
from mcu_proto.datapoint import Schema

MAC = "A0B1C2D3E4F5"
TOPIC = "dev2app/did"


class Sent:
    """What a delivery handed over; `ack()` acknowledges the oldest that waits for it."""

    def __init__(self, never=()):
        self.payloads = []
        self._acks = []
        self._never = never

    def deliver(self, topic, payload, on_acked):
        if payload in self._never:
            raise ValueError(topic)
        self.payloads.append(payload)
        self._acks.append(on_acked)

    def ack(self):
        self._acks.pop(0)()

    def lose(self):
        self._acks.clear()


@contextlib.contextmanager
def an_outbox(folder, *payloads):
    log = LogText(0)
    outbox = Outbox(str(folder), "port", OutboxRules(OFFLINE, 1000, 30), lambda payload: False, log.port)
    outbox.open()
    outbox.cloud_here()
    for payload in payloads:
        outbox.put(TOPIC, payload)
    yield outbox
    outbox.close()


def test_one_is_under_way_and_the_next_follows_its_ack(tmp_path):
    async def scene():
        with an_outbox(tmp_path, b"one", b"two", b"three") as outbox:
            sent = Sent()
            delivery = Delivery(outbox, sent.deliver)
            delivery.begin()
            delivery.wake()
            assert sent.payloads == [b"one"]
            sent.ack()
            assert sent.payloads == [b"one", b"two"]
            assert len(outbox) == 2

    in_loop(scene())


def test_what_was_under_way_goes_first_in_the_next_session(tmp_path):
    async def scene():
        with an_outbox(tmp_path, b"one", b"two") as outbox:
            sent = Sent()
            delivery = Delivery(outbox, sent.deliver)
            delivery.begin()
            delivery.end()
            sent.lose()
            outbox.put(TOPIC, b"three")
            delivery.wake()
            assert sent.payloads == [b"one"]
            delivery.begin()
            for _ in range(3):
                sent.ack()
            assert sent.payloads == [b"one", b"one", b"two", b"three"]

    in_loop(scene())


def test_a_report_that_ends_every_session_does_not_stop_those_behind_it(tmp_path):
    async def scene():
        with an_outbox(tmp_path, b"poison", b"good") as outbox:
            sent = Sent()
            delivery = Delivery(outbox, sent.deliver)
            for _ in range(8):
                assert len(outbox) == 2
                delivery.begin()
                delivery.end()
            sent.lose()
            delivery.begin()
            assert sent.payloads[-1] == b"good"
            assert outbox.tally.dropped["refused"] == 1

    in_loop(scene())


def test_a_report_that_can_never_be_published_is_dropped_and_counted(tmp_path):
    async def scene():
        with an_outbox(tmp_path, b"poison", b"good") as outbox:
            sent = Sent(never=(b"poison",))
            Delivery(outbox, sent.deliver).begin()
            assert sent.payloads == [b"good"]
            assert outbox.tally.dropped["refused"] == 1

    in_loop(scene())


def test_a_broker_that_acknowledges_nothing_is_lost():
    async def talk(reader, writer):
        await script.accept(reader, writer, 1)
        while True:
            await script.read_packet(reader)

    async def scene():
        async with serving(talk) as port:
            heard, log = Heard(), LogText()
            uplink = Uplink(heard.note("connected"), heard.note("lost"), heard.note("message"), log.port)
            uplink.connect(MqttConnect("127.0.0.1", port, "did", "did", "x", 8, ("app2dev/did/#",)))
            assert await heard.next() == ("connected",)
            uplink._session._timeout_s = 0.1  # not before: the login has all its time
            uplink.deliver(TOPIC, b"one", heard.note("acked"))
            assert await heard.next() == ("lost", 0)
            assert "does not acknowledge" in log.port.reason
            assert heard.nothing_more()

    in_loop(scene())


# What is news.


def report(**values):
    return wire.encode(wire.CLOUD_REPORT, Schema.from_definition(WITH_ALERTS).encode_report(values))


def _alert(number, name, group, byte):
    position = {"byte_offset": byte, "bit_offset": 0, "len": 1, "unit": "bit"}
    return {"id": number, "name": name, "type": group, "data_type": "bool", "position": position}


_LAMP: dict[str, Any] = LAMP
_ENTITY = _LAMP["entities"][0]
_ALERTS = [_alert(5, "frost", "alert", 7), _alert(6, "broken", "fault", 8)]
WITH_ALERTS = {**_LAMP, "entities": [{**_ENTITY, "attrs": [*_ENTITY["attrs"], *_ALERTS]}]}


def test_a_report_is_news_when_an_alert_or_fault_changed():
    watch = AlertWatch(Schema.from_definition(WITH_ALERTS))
    assert not watch.is_news(report(level=10))
    assert watch.is_news(report(level=10, frost=1))
    assert not watch.is_news(report(level=20, frost=1))
    assert watch.is_news(report(frost=1, broken=1))
    assert watch.is_news(report(broken=1))
    assert watch.is_news(report())


@pytest.mark.parametrize("payload", [b"", b"\x00\x00\x00\x03", b"garbage", wire.encode(wire.CLOUD_REPORT, b"\x04\x01")])
def test_what_cannot_be_read_is_no_news(payload):
    assert not AlertWatch(Schema.from_definition(WITH_ALERTS)).is_news(payload)


# The whole port, with a real broker.


class House:
    """A gateway in this loop, an MCU that numbers its reports, a real broker, and who listens there."""

    def __init__(self, folder, broker, **settings):
        self.folder = folder
        self.log = LogText(0)
        self.mcu = NumberingMcu(folder, "mcu")
        self.broker = broker
        self.heard = []
        self._settings = {"state": str(folder / "state"), **settings}

    @contextlib.asynccontextmanager
    async def lived_in(self):
        async with DeviceApiStub(self.broker.port).running() as api:
            ports = (PortSettings("mcu", str(self.mcu.path), mac=MAC),)
            gateway = Gateway(Settings(ports=ports, api=api.url, **self._settings), self.log.logger, self.log.redactor)
            self.mcu.start()
            gateway.start()
            self.runner = gateway.runners[0]
            await self.log.says("online, did")
            # The status word is acked: nothing the MCU has to say comes between the bytes of a burst.
            await until(self.runner.agent._mcu.link.is_idle, "the MCU has been told")
            try:
                yield self
            finally:
                gateway.stop()
                self.mcu.stop()

    def tell_network(self, is_up):
        """The gateway leaves the network, or is back on it."""
        self.runner.feed(self.runner.agent.network_changed, is_up, 100)

    async def listening(self):
        """Somebody who hears every report, with a session of his own at the broker."""
        heard = Heard()
        note = lambda topic, payload: self.heard.append(number_of(payload))  # noqa: E731
        app = Uplink(heard.note("connected"), heard.note("lost"), note, LogText(0).port)
        app.connect(MqttConnect("127.0.0.1", self.broker.port, "app", "", "", 60, ("dev2app/" + did_of(MAC),)))
        assert await heard.next() == ("connected",)
        return app

    async def hears(self, count):
        await until(lambda: len(self.heard) >= count, "%d reports arrive" % count, lambda: str(self.heard))

    def on_disk(self):
        """The numbers of the reports that another life would find."""
        copy = self.folder / "copy"
        copy.mkdir(exist_ok=True)
        for path in (self.folder / "state").glob("mcu.outbox*"):
            (copy / path.name).write_bytes(path.read_bytes())
        file = OutboxFile(str(copy / "mcu.outbox"))
        try:
            return [number_of(report.payload) for report in file.load()]
        finally:
            file.close()


@pytest.mark.mosquitto
def test_the_ack_of_a_report_waits_for_the_disk_and_a_control_does_not(tmp_path):
    async def scene():
        with mosquitto_running(tmp_path) as broker:
            async with House(tmp_path, broker).lived_in() as house:
                disk_is_free = threading.Event()
                house.runner._outbox._writer.write(disk_is_free.wait, lambda error: None)
                heard = Heard()
                app = Uplink(heard.note("connected"), heard.note("lost"), heard.note("message"), LogText(0).port)
                answers = "dev2app/%s/usr1" % did_of(MAC)
                app.connect(MqttConnect("127.0.0.1", broker.port, "usr1", "", "", 60, (answers,)))
                assert await heard.next() == ("connected",)
                house.mcu.burst(1)
                await until(lambda: house.runner._outbox.newest == 1, "the report is taken")
                control = wire.encode(wire.CLOUD_CONTROL, b"\x01\x01\x01", 7)
                app.publish("app2dev/%s/usr1" % did_of(MAC), control, 0)
                # What the line carried before this answer has been seen by the MCU.
                assert await heard.next() == ("message", answers, wire.encode(wire.CLOUD_CONTROL_ACK, b"", 7))
                assert house.mcu.acks == 0
                disk_is_free.set()
                await until(lambda: house.mcu.acks == 1, "the ack is here", house.log.getvalue)
                assert house.on_disk() == [1]
                app.disconnect()

    in_loop(scene())


@pytest.mark.mosquitto
@pytest.mark.parametrize("durability", [ALWAYS, OFFLINE])
def test_reports_that_come_while_the_broker_is_away_all_arrive_in_order(tmp_path, durability):
    async def scene():
        with mosquitto_running(tmp_path) as broker:
            async with House(tmp_path, broker, durability=durability).lived_in() as house:
                broker.stop()
                await house.log.says("offline")
                house.mcu.go()
                await until(lambda: len(house.mcu.acked) >= 60, "the MCU sees its acks")
                house.mcu.pause()
                # Not there again before somebody listens: the broker keeps nothing for who comes later.
                house.tell_network(False)
                broker.start()
                app = await house.listening()
                house.tell_network(True)
                await house.hears(house.mcu.sent)
                assert house.heard == list(range(1, house.mcu.sent + 1))
                app.disconnect()

    in_loop(scene())


@pytest.mark.mosquitto
def test_eighty_reports_in_one_write_all_arrive_in_order(tmp_path):
    async def scene():
        with mosquitto_running(tmp_path) as broker:
            async with House(tmp_path, broker).lived_in() as house:
                app = await house.listening()
                house.mcu.burst(80)
                await house.hears(80)
                assert house.heard == list(range(1, 81))
                app.disconnect()

    in_loop(scene())


@pytest.mark.mosquitto
def test_an_mcu_that_is_faster_than_everything_is_held_back_and_loses_nothing(tmp_path):
    """More than the outbox holds, and more than any limit of the MQTT library: the line stands still instead."""

    async def scene():
        with mosquitto_running(tmp_path) as broker:
            async with House(tmp_path, broker, outbox_max=600).lived_in() as house:
                app = await house.listening()
                await asyncio.to_thread(house.mcu.burst, 3000)
                await house.hears(3000)
                assert house.heard == list(range(1, 3001))
                assert set(house.runner.status()["outbox"]["dropped"].values()) == {0}
                app.disconnect()

    in_loop(scene())
