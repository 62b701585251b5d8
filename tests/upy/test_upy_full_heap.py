"""A heap with no room for what is announced, under MicroPython: that one is lost, and the next is taken."""

import asyncio

import pytest
from testkit import upy_program

pytestmark = pytest.mark.micropython

FILL = """
import gc


def fill():
    "Leaves some kilobytes, and no piece of them that is longer than 200 bytes."
    kept = []
    try:
        while True:
            kept.append(bytearray(200))
    except MemoryError:
        pass
    gc.collect()
    for n in range(0, 100, 2):
        kept[n] = None
    gc.collect()
    return kept


"""


def play(folder, program):
    return [eval(line) for line in asyncio.run(upy_program.run(FILL + program, folder))]


def test_a_frame_for_which_there_is_no_room_is_bad_and_the_next_is_a_frame(tmp_path):
    program = """
from mcu_proto.frame import FrameDecoder, encode_frame

decoder = FrameDecoder()
long, short = encode_frame(5, 1, bytes(800)), encode_frame(5, 2, bytes(20))
# A new name would need room too.
is_inside = at = frames = None
kept = fill()
decoder.feed(long[:9])
is_inside = decoder.is_inside()
for at in range(9, len(long), 50):
    decoder.feed(long[at : at + 50])
frames = decoder.feed(short[:9]) + decoder.feed(short[9:])
kept = None
print((is_inside, [tuple(frame)[:2] for frame in frames]))
"""
    assert play(tmp_path, program) == [(False, [(5, 2)])]


def test_a_packet_for_which_there_is_no_room_is_skipped_and_the_next_is_read(tmp_path):
    program = """
from gagent_upy import mqtt

reader = mqtt.MqttReader(1024)
long, short = mqtt.packet(0x30, bytes(800)), mqtt.packet(0x30, bytes(20))
found = []
at = None
kept = fill()
for at in range(0, len(long), 50):
    found += reader.feed(long[at : at + 50])
found += reader.feed(short)
kept = None
print([len(body) for kind, flags, body in found])
"""
    assert play(tmp_path, program) == [[20]]
