"""The chip's radio: which network it joins and when, and how somebody tells it of one."""

import asyncio
import contextlib
import socket

import pytest
from gagent_upy.storage import Slots
from testkit import upy_program
from testkit.heard import until
from testkit.mosquitto_running import free_port

from gagent import wire

pytestmark = pytest.mark.micropython

# `air` says which networks are in reach; `told` has what the port heard, `said` the log, `keys` is the SoftAP's.
_PROGRAM = """
import network as radio
from gagent_upy import onboarding
from gagent_upy.storage import Slots
from gagent_upy.wifi import SOFTAP, Wifi


class Settings:
    ssid, key, ap_password, form_port = {given} + ({password!r}, {port})


class Log:
    def say(self, text):
        said.append(text)


def air(*networks):
    with open("air", "w") as file:
        file.write("".join(["%s %s\\n" % pair for pair in networks]))


def make():
    return Wifi(poll, Settings, Slots("networks"), Log(), lambda *change: told.append(change))


def wait(is_done, until=600000):
    "Where nobody else has anything to say."
    spin(wifi, is_done, until, idle=2)


def joined():
    return bool(told) and told[-1][0]


told, said = [], []
home, other = ("home", "homesecret"), ("other", "othersecret")
{before}
wifi = make()
{program}
print(repr((told, said)))
"""
HOME = '("home", "homesecret")'
NONE = '("", "")'


async def _start(tmp_path, program, given=NONE, before="air()", password="", port=80):
    text = _PROGRAM.format(given=given, password=password, port=port, before=before, program=program)
    told, said = eval((await upy_program.run(text, tmp_path, GAGENT_AIR=tmp_path / "air"))[-1])
    return told, said


def _play(tmp_path, program, **options):
    """(what was told, what was said, the networks stored) of `program`."""
    told, said = asyncio.run(_start(tmp_path, program, **options))
    return told, said, _stored(tmp_path)


def _stored(tmp_path):
    return Slots(str(tmp_path / "networks")).load()


def test_the_network_of_the_settings_is_joined_and_kept(tmp_path):
    told, said, stored = _play(tmp_path, "wait(joined)", given=HOME, before="air(home)")
    assert told == [(True, 80)]
    assert said == ["joining Wi-Fi home", "Wi-Fi home is joined"]
    assert stored["current"] == stored["last_good"] == ["home", "homesecret"]


def test_a_lost_network_is_told_and_joined_again(tmp_path):
    program = "wait(joined); air(); wait(lambda: len(told) == 2); air(home); wait(joined)"
    told, _, _ = _play(tmp_path, program, given=HOME, before="air(home)")
    assert told == [(True, 80), (False, 0), (True, 80)]


def test_a_network_that_stays_is_told_once(tmp_path):
    told, _, _ = _play(tmp_path, "wait(joined); wait(lambda: False, 3000)", given=HOME, before="air(home)")
    assert told == [(True, 80)]


def test_the_last_good_network_is_tried_after_half_a_minute(tmp_path):
    before = 'air(home); Slots("networks").save({"current": list(other), "last_good": list(home)})'
    program = "wait(lambda: len(said) == 2); said.append(clock.now() // 1000); wait(joined)"
    _, said, stored = _play(tmp_path, program, before=before)
    assert said == ["joining Wi-Fi other", "joining Wi-Fi home", 30, "Wi-Fi home is joined"]
    assert stored["current"] == ["home", "homesecret"]


def test_networks_take_turns_and_the_radio_begins_anew_after_two_minutes(tmp_path):
    before = """
air()
Slots("networks").save({"current": list(other), "last_good": list(home)})
is_active = radio.WLAN.active
def noted(self, on=None):
    told.append(on)
    return is_active(self, on)
radio.WLAN.active = noted
"""
    told, said, _ = _play(tmp_path, "wait(lambda: len(said) == 5, 121000)", before=before)
    assert said == ["joining Wi-Fi %s" % name for name in ("other", "home", "other", "home", "other")]
    assert told == [True, False, True]


def test_another_network_in_the_settings_is_taken_and_one_told_later_stays(tmp_path):
    before = """
air(home, other)
Slots("networks").save({"current": ["old", "oldsecret"], "last_good": ["old", "oldsecret"], "given": ["old", ""]})
"""
    _, _, stored = _play(tmp_path, "wait(joined)", given=HOME, before=before)
    assert stored["current"] == ["home", "homesecret"]
    slots = Slots(str(tmp_path / "networks"))
    slots.load()
    slots.save({**stored, "current": ["other", "othersecret"]})
    _, said, _ = _play(tmp_path, "wait(joined)", given=HOME, before="air(home, other)")
    assert said[0] == "joining Wi-Fi other"


def test_without_a_network_one_of_our_own_is_offered_for_five_minutes(tmp_path):
    program = "wait(lambda: wifi.state == SOFTAP); wait(lambda: len(said) == 2); said.append(wifi.due)"
    told, said, stored = _play(tmp_path, program, port=free_port())
    assert said == [
        "SoftAP XPG-GAgent-E4F5 is open for configuration",
        "nobody named a network: no Wi-Fi until the next start",
        None,
    ]
    assert told == [(False, 0)]
    assert not stored["softap"]


def test_the_password_of_our_network_is_drawn_once_and_never_said(tmp_path):
    program = "wait(lambda: wifi.state == SOFTAP); said.append(wifi._onboarding._access_point._settings)"
    passwords = []
    for _ in range(2):
        _, said, stored = _play(tmp_path, program, port=free_port())
        assert said[1]["key"] == stored["ap_password"]
        assert stored["ap_password"] not in said[0]
        passwords.append(stored["ap_password"])
    assert len(passwords[0]) == 10
    assert passwords[0] == passwords[1]


def test_the_password_in_the_settings_goes_before(tmp_path):
    program = "wait(lambda: wifi.state == SOFTAP); said.append(wifi._onboarding._access_point._settings)"
    _, said, _ = _play(tmp_path, program, password="123456789", port=free_port())
    assert said[1]["key"] == "123456789"


def test_the_mcu_may_ask_and_a_power_cut_does_not_end_it(tmp_path):
    program = """
wait(joined)
wifi.configure()
wait(lambda: wifi.state == SOFTAP)
wifi._onboarding._close()
wifi = make()
wait(lambda: wifi.state == SOFTAP)
wait(joined)
"""
    told, said, _ = _play(tmp_path, program, given=HOME, before="air(home)", port=free_port())
    # Told of the end of configuration, then of the network that was there before.
    assert told == [(True, 80), (False, 0), (False, 0), (True, 80)]
    assert said.count("SoftAP XPG-GAgent-E4F5 is open for configuration") == 2


def test_a_factory_reset_forgets_the_networks_and_asks_to_be_configured(tmp_path):
    program = "wait(joined); wifi.forget(); wifi = make(); wait(lambda: wifi.state == SOFTAP)"
    _, _, stored = _play(tmp_path, program, given=HOME, before="air(home)", port=free_port())
    assert (stored["current"], stored["last_good"], stored["softap"]) == (None, None, True)


def test_how_things_are_is_told_again_when_asked(tmp_path):
    program = "wait(joined); wifi.tell(); wait(lambda: len(told) == 2, 2000)"
    told, _, _ = _play(tmp_path, program, given=HOME, before="air(home)")
    assert told == [(True, 80), (True, 80)]


def _configured(tmp_path, configure):
    """(what `configure(port)` found, the networks stored) with our own network open until the other one is joined."""

    async def scenario():
        port = free_port()
        task = asyncio.create_task(_start(tmp_path, "spin(wifi, joined)", before="air(other)", port=port))
        try:
            found = await configure(port)
            await task
        finally:
            task.cancel()
        return found

    return asyncio.run(scenario()), _stored(tmp_path)


async def _ask(port, *pieces):
    """What the form answers to a request in these pieces."""
    reader = writer = None

    async def is_open():
        nonlocal reader, writer
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        return writer is not None

    for _ in range(500):
        if await is_open():
            break
        await asyncio.sleep(0.01)
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0.01)
    answer = await reader.read()
    writer.close()
    return answer


def _post(body):
    return b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


GOOD_FORM = b"ssid=other&pass=othersecret"


def test_the_form_is_shown_and_what_is_filled_in_is_joined(tmp_path):
    async def configure(port):
        return await _ask(port, b"GET / HTTP/1.1\r\n\r\n"), await _ask(port, _post(GOOD_FORM))

    (form, done), stored = _configured(tmp_path, configure)
    head, page = form.split(b"\r\n\r\n", 1)
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"Content-Length: %d" % len(page) in head
    assert b'<input name="ssid"' in page and b'<input name="pass" type="password"' in page
    assert len(form) <= 1460
    assert b"Thank you" in done
    assert stored["current"] == ["other", "othersecret"]
    assert not stored["softap"]


@pytest.mark.parametrize(
    "pieces",
    [
        tuple(bytes((b,)) for b in _post(GOOD_FORM)),
        (_post(GOOD_FORM)[:-5], _post(GOOD_FORM)[-5:]),
        (b"GET /web_config.cgi?ssid=other&pass=othersecret HTTP/1.1\r\n\r\n",),
        (_post(b"pass=other%73ecre%74&ssid=%6fther&x=y&z"),),
    ],
    ids=["byte by byte", "body cut", "as the vendor's page", "percent signs"],
)
def test_the_form_may_come_in_any_shape(tmp_path, pieces):
    async def configure(port):
        return await _ask(port, *pieces)

    done, stored = _configured(tmp_path, configure)
    assert b"Thank you" in done
    assert stored["current"] == ["other", "othersecret"]


@pytest.mark.parametrize(
    "body",
    [
        b"ssid=&pass=othersecret",
        b"ssid=" + b"x" * 33,
        b"ssid=other&pass=short",
        b"ssid=o&pass=" + b"z" * 64,
        b"ssid=%ff",
    ],
)
def test_a_wrong_form_is_shown_again(tmp_path, body):
    async def configure(port):
        wrong = await _ask(port, _post(body))
        await _ask(port, _post(GOOD_FORM))
        return wrong

    wrong, _ = _configured(tmp_path, configure)
    assert b"A name has 1 to 32 bytes" in wrong
    assert b"<form" in wrong


@pytest.mark.parametrize("request_", [b"", b"GARBAGE\r\n\r\n", b"x" * 3000, b"\r\n\r\n", b"POST / HTTP/1.1\r\n\r\n"])
def test_a_request_that_is_none_does_no_harm(tmp_path, request_):
    async def configure(port):
        with contextlib.suppress(OSError):
            await _ask(port, b"GET / HTTP/1.1\r\n\r\n")
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(request_)
            writer.close()
        return await _ask(port, _post(GOOD_FORM))

    done, stored = _configured(tmp_path, configure)
    assert b"Thank you" in done
    assert stored["current"] == ["other", "othersecret"]


class App:
    """A vendor app: sends the datagram until it is acked, as `answers` shows."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.setblocking(False)
        self.answers = []

    def send(self, body, cmd=1):
        self.socket.sendto(wire.encode(cmd, body), ("127.0.0.1", 12414))

    def is_acked(self):
        with contextlib.suppress(BlockingIOError):
            self.answers.append(self.socket.recv(100))
        return bool(self.answers)


def _credentials(ssid, key):
    return len(ssid).to_bytes(2, "big") + ssid + len(key).to_bytes(2, "big") + key


@pytest.mark.parametrize("key", [b"othersecret", b"othersecret\0\x1bexample.com\x1b\x08\0\x1bzone"])
def test_a_vendor_app_is_acked_and_its_network_joined(tmp_path, key):
    async def configure(port):
        app = App()
        await _ask(port, b"GET / HTTP/1.1\r\n\r\n")
        for bad in (b"", b"\0\xffab", b"\0\x05other\0\x03abcd", _credentials(b"", b"othersecret")):
            app.send(bad)
        app.socket.sendto(b"garbage", ("127.0.0.1", 12414))
        app.send(_credentials(b"other", b"othersecret"), cmd=3)
        app.send(_credentials(b"other", b"short"))
        app.send(_credentials(b"other", key))
        await until(app.is_acked, "the app is acked", lambda: "")
        app.socket.close()
        return app.answers

    answers, stored = _configured(tmp_path, configure)
    assert answers == [wire.encode(2, b"")]
    assert stored["current"] == ["other", "othersecret"]
