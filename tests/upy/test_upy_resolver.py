"""The chip's own name lookup, against a name server that loses, garbles and lies; and the time from a time server."""

import asyncio
import struct

import pytest
from testkit import upy_program
from testkit.datagrams import SAME, A, DatagramServer, a_record, dns_answer

pytestmark = pytest.mark.micropython

_LOOKUP = """
from gagent_upy.resolver import Lookup


class Part:
    def __init__(self):
        self.lookup = Lookup({host!r}, "127.0.0.1", poll, clock.now(), {port})
        self.found = ""
        self.due = 0

    def turn(self, now):
        try:
            self.found = self.lookup.address(now)
        except OSError as error:
            self.found = error.args[0]
        self.due = self.lookup.due


part = Part()
spin(part, lambda: part.found, 10000)
part.lookup.close()
print(part.found)
"""
_BAD_NAME = """
from gagent_upy.resolver import Lookup

try:
    Lookup(%r, "127.0.0.1", poll, 0)
except OSError as error:
    print(error.args[0])
"""
HERE = bytes((10, 0, 0, 1))
_NAME = b"\x06broker\x07example\x03com\x00"
_CNAME = struct.pack(">HHIH", 5, 1, 60, 6) + b"\x03www\xc0\x13"


def _looked_up(tmp_path, answer, host="broker.example.com"):
    """(what was found, queries)."""
    server = DatagramServer(answer)

    async def scenario():
        async with server.running() as port:
            return await upy_program.run(_LOOKUP.format(host=host, port=port), tmp_path)

    (found,) = asyncio.run(scenario())
    return found, server.queries


def test_a_name_is_asked_for_as_the_dns_wants_it(tmp_path):
    found, [query] = _looked_up(tmp_path, lambda query, _: [dns_answer(query, [a_record(HERE)])])
    assert found == "10.0.0.1"
    assert query[2:] == b"\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" + _NAME + b"\x00\x01\x00\x01"


@pytest.mark.parametrize(
    "records",
    [
        [SAME + _CNAME, b"\xc0\x30" + A + HERE],
        [b"\x03www\xc0\x13" + A + HERE],
        [b"\x03www\x07example\x03com\x00" + A + HERE, a_record(bytes((10, 0, 0, 2)))],
    ],
    ids=["an alias first", "a name that ends in a pointer", "a whole name, two addresses"],
)
def test_the_first_address_is_found_behind_any_name(tmp_path, records):
    assert _looked_up(tmp_path, lambda query, _: [dns_answer(query, records)])[0] == "10.0.0.1"


def test_a_lost_query_is_asked_again(tmp_path):
    good = a_record(HERE)
    found, queries = _looked_up(tmp_path, lambda query, count: [dns_answer(query, [good])] if count == 3 else [])
    assert found == "10.0.0.1"
    assert len(set(queries)) == 1


@pytest.mark.parametrize("records", [[], [SAME + _CNAME], [a_record(b"\x0a")], [b"\xff" * 5], [b"\x3f" * 100], [b""]])
def test_an_answer_without_an_address_is_an_error(tmp_path, records):
    found, _ = _looked_up(tmp_path, lambda query, _: [dns_answer(query, records, 1)])
    assert found == "the name server knows no address"


def test_a_foreign_answer_is_not_taken(tmp_path):
    good = a_record(HERE)
    bad = a_record(bytes((6, 6, 6, 6)))

    def answer(query, _):
        other_id = bytes((query[0] ^ 1, *query[1:]))
        other_name = query[:12] + query[12:].replace(b"broker", b"bro%er")
        return [dns_answer(other_id, [bad]), dns_answer(other_name, [bad]), b"x", b"", dns_answer(query, [good])]

    found, queries = _looked_up(tmp_path, answer)
    assert (found, len(queries)) == ("10.0.0.1", 1)


def test_a_silent_name_server_is_asked_for_as_long_as_one_waits(tmp_path):
    found, queries = _looked_up(tmp_path, lambda *_: [])
    assert found == ""
    assert len(queries) == 7


@pytest.mark.parametrize("host", ["a..b", "x" * 64 + ".com"])
def test_what_is_no_host_name_is_an_error(tmp_path, host):
    (found,) = asyncio.run(upy_program.run(_BAD_NAME % host, tmp_path))
    assert found.endswith("is no host name")


_NTP = """
import machine
import gagent_upy.ntp as ntp


class Rtc:
    def datetime(self, fields):
        print(fields)


machine.RTC = Rtc
part = ntp.Ntp(poll, network, "127.0.0.1", feed, agent, {port})
spin(part, lambda: heard, 300000)
spin(part, lambda: False, 1000)
print(heard, clock.now() // 60000)
"""


def _told(tmp_path, answer):
    server = DatagramServer(answer)

    async def scenario():
        async with server.running() as port:
            return await upy_program.run(_NTP.format(port=port), tmp_path)

    return asyncio.run(scenario()), server.queries


def _ntp_answer(utc, mode=4, stratum=2):
    return bytes((0x20 | mode, stratum)) + bytes(38) + struct.pack(">I", utc + 2208988800) + bytes(4)


def test_the_time_is_told_to_the_agent_and_set_on_the_chip(tmp_path):
    lines, [query] = _told(tmp_path, lambda *_: [_ntp_answer(1763769600)])
    assert lines == ["(2025, 11, 22, 5, 0, 0, 0, 0)", "[('set_utc', 1763769600)] 0"]
    assert query == b"\x23" + bytes(47)


@pytest.mark.parametrize(
    "bad",
    [b"", b"short", _ntp_answer(1763769600, stratum=0), _ntp_answer(1763769600, mode=3), _ntp_answer(0)],
    ids=["empty", "short", "a server that does not know", "no server", "nonsense"],
)
def test_a_bad_answer_is_not_taken_and_asked_again_after_a_minute(tmp_path, bad):
    lines, queries = _told(tmp_path, lambda _, count: [bad] if count < 3 else [_ntp_answer(1763769600)])
    assert lines[-1] == "[('set_utc', 1763769600)] 2"
    assert len(queries) == 3
