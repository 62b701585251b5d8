"""What a chip makes of servers of images: good, cut short, lying, silent."""

import asyncio
import hashlib
import json
import random

import pytest
from testkit import upy_program
from testkit.image_server import ImageServer

pytestmark = pytest.mark.micropython

IMAGE = random.Random(1).randbytes(9000)
MD5, SHA256 = hashlib.md5(IMAGE).hexdigest(), hashlib.sha256(IMAGE).hexdigest()
SIGNATURE = "ab" * 64
WHOLE = ["Image", (9000, MD5, SHA256)]

PROGRAM = """
from gagent.ota import Download, DropFirmware, Progress, ReadFirmware
from gagent_upy.firmware import Firmware

part = Firmware(poll, network, feed, agent, None, None, None)


def answers():
    return [event for _, event in heard if not isinstance(event, Progress)]


def ask(effect):
    "What the agent is told in the end."
    count = len(answers())
    part.perform(effect)
    # No time passes: a server that is slow is not given up.
    part.turn(0)
    while len(answers()) == count:
        if part.due is None or part.due > 0:
            poll.poll(-1)
        part.turn(0)
    event = answers()[-1]
    print(repr([type(event).__name__, tuple(event[:3])]))


order = Download(2, "00000002", {url!r}, {most})
{program}
"""


@pytest.fixture
def server():
    heads = {"Firmware-MD5": MD5, "Soft-Version": "00000002", "Firmware-Signature": SIGNATURE, "X-Other": "x" * 500}
    running = ImageServer(IMAGE, heads, random.Random(2))
    yield running
    running.close()


def play(folder, server, program="ask(order)", most=1 << 20):
    """What the agent was told, one after another."""
    lines = asyncio.run(upy_program.run(PROGRAM.format(url=server.url, most=most, program=program), folder))
    return [eval(line) for line in lines]


def test_an_image_is_stored_hashed_and_not_asked_for_again(tmp_path, server):
    assert play(tmp_path, server, "ask(order)\nask(order)") == [WHOLE, WHOLE]
    assert server.served == 1
    assert (tmp_path / "mcu.image").read_bytes() == IMAGE
    heads = json.loads((tmp_path / "mcu.json").read_text())["heads"]
    assert heads == {"firmware-md5": MD5, "soft-version": "00000002", "firmware-signature": SIGNATURE}


def test_pieces_are_read_and_an_image_of_no_use_goes(tmp_path, server):
    program = "ask(order)\nask(ReadFirmware(8000, 512))\nask(ReadFirmware(8900, 512))\nask(ReadFirmware(0, 3))\n"
    program += "part.perform(DropFirmware(2))\nask(ReadFirmware(0, 3))"
    told = play(tmp_path, server, program)
    pieces = [IMAGE[8000:8512], IMAGE[8900:], IMAGE[:3]]
    assert told[1:4] == [["FirmwareData", (piece,)] for piece in pieces]
    assert told[4] == ["FirmwareFailed", ("the stored image cannot be read: error 2",)]
    assert not list(tmp_path.glob("mcu.*"))


def test_a_download_that_was_cut_short_goes_on_where_it_ended(tmp_path, server):
    server.spoil = lambda answer: answer[:5000]
    first, second = play(tmp_path, server, "ask(order)\nask(order)")
    assert first[0] == "FirmwareFailed" and first[1][0].startswith("cut short at byte ")
    assert second == WHOLE


def test_an_answer_that_never_ends_is_given_up_and_gone_on_with(tmp_path, server):
    # More than is sent is announced: after the last byte nothing comes.
    server.heads["Content-Length"] = "9001"
    server.spoil = lambda answer: answer
    (first,) = play(tmp_path, server)
    assert first[0] == "FirmwareFailed" and first[1][0].startswith("cut short at byte 9000")


def test_a_server_without_ranges_begins_anew(tmp_path, server):
    server.spoil = lambda answer: answer[:5000]
    play(tmp_path, server)
    whole = b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\nFirmware-MD5: %s\r\n\r\n" % MD5.encode() + IMAGE
    server.spoil = lambda answer: whole
    assert play(tmp_path, server) == [WHOLE]


@pytest.mark.parametrize(
    "change",
    [
        lambda answer: answer.replace(MD5.encode(), b"0" * 32),
        lambda answer: answer.replace(b"/9000", b"/9100"),
        lambda answer: b"HTTP/1.1 416 Range Not Satisfiable\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_another_image_than_the_one_begun_is_taken_from_the_start(tmp_path, server, change):
    server.spoil = lambda answer: answer[:5000]
    play(tmp_path, server)
    server.spoil = change
    refused, taken = play(tmp_path, server, "ask(order)\nask(order)")
    why = "the server has another image than the one begun: from the start next time"
    assert refused == ["FirmwareFailed", (why,)]
    assert taken == WHOLE


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nno.", "the image is not there: HTTP 404"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "the image is not there: HTTP 404"),
        (
            b"HTTP/1.1 200 OK\r\n\r\nabc",
            "the server does not tell how long the image is: expected a Content-Length",
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 20001\r\n\r\nabc",
            "an image of 20001 bytes, 1 to 20000 are expected",
        ),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "an image of 0 bytes, 1 to 20000 are expected"),
        (b"SSH-2.0-x\r\n", "no HTTP"),
    ],
)
def test_what_is_no_image_is_refused_and_leaves_nothing(tmp_path, server, answer, why):
    server.spoil = lambda right: answer
    assert play(tmp_path, server, most=20000) == [["FirmwareFailed", (why,)]]
    assert not list(tmp_path.glob("mcu.*"))


def test_an_image_that_the_flash_has_no_room_for_is_refused_before_its_first_byte(tmp_path, server):
    program = "import gagent_upy.firmware\ngagent_upy.firmware._room = lambda: 8999\nask(order)"
    why = "no room: the image has 9000 bytes, the flash 8999"
    assert play(tmp_path, server, program) == [["FirmwareFailed", (why,)]]
    assert not list(tmp_path.glob("mcu.*"))


@pytest.mark.parametrize("text", ["", "[]", "{", '{"version": "00000002"}', '{"version": 1, "url": 2, "size": "x"}'])
def test_an_origin_that_cannot_be_read_begins_anew(tmp_path, server, text):
    (tmp_path / "mcu.json").write_text(text)
    (tmp_path / "mcu.image").write_bytes(b"x" * 100)
    assert play(tmp_path, server) == [WHOLE]


def test_https_needs_a_certificate(tmp_path, server):
    program = 'ask(Download(2, "00000002", "https://127.0.0.1/x", 1000))'
    assert play(tmp_path, server, program) == [["FirmwareFailed", ("https needs ca_file in the settings",)]]
