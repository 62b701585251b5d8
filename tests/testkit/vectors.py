"""The protocol facts in `tests/vectors`, with hex turned into bytes and numbers into ints. Every entry has its origin.

Also the one way to feed a stream decoder: whole, byte by byte, and between garbage.
"""

import json
from collections import namedtuple
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

VECTORS = Path(__file__).parent.parent / "vectors"

# Noise as it is found on a line: a boot message before, line ends after. Without an ff, which would belong to a frame.
GARBAGE_BEFORE = b"\r\n ets Jan  8 2013\x00\x55\xfe"
GARBAGE_AFTER = b"\x00\x55\xfe\r\nready\r\n"

FrameVector = namedtuple("FrameVector", "name direction cmd sn flags payload wire origin note")
# `expected` are ExpectedFrames: complete frames only, a decoder may report more that it gave up on.
StreamVector = namedtuple("StreamVector", "name stream expected origin note")
ExpectedFrame = namedtuple("ExpectedFrame", "cmd sn flags payload checksum_ok")
# `origin` of a payload is where the bytes come from and how they were checked.
CloudVector = namedtuple("CloudVector", "name topic payload decoded origin")
ProductVector = namedtuple("ProductVector", "name about definition summary cases")
# `wire` is the frame that carries p0 with sn 1.
CaseVector = namedtuple("CaseVector", "name kind direction cmd action values raw p0 wire origin note")


def frames() -> list[FrameVector]:
    """Every serial frame: its fields and its wire bytes."""
    return [
        FrameVector(
            row["name"],
            row["direction"],
            int(row["cmd"], 16),
            row["sn"],
            row["flags"],
            bytes.fromhex(row["payload_hex"]),
            bytes.fromhex(row["wire_hex"]),
            row["verified"],
            row["note"],
        )
        for row in load("mcu_frames.json")
    ]


def streams() -> list[StreamVector]:
    """Every receiver stream and the frames in it."""
    return [
        StreamVector(
            row["name"],
            bytes.fromhex(row["stream_hex"]),
            [_expected(frame) for frame in row["expect_frames"]],
            row["verified"],
            row["note"],
        )
        for row in load("mcu_streams.json")
    ]


def products() -> list[ProductVector]:
    """Every product: its definition, the sizes it must have, and P0 in both directions."""
    return [
        ProductVector(
            row["name"], row["about"], row["definition"], row["summary"], [_case(case) for case in row["cases"]]
        )
        for row in load("datapoints.json")["products"]
    ]


def conversions() -> list[dict[str, Any]]:
    """Display values and raw values: ratio, addition, display, raw."""
    rows: list[dict[str, Any]] = load("datapoints.json")["conversion"]
    return rows


def cloud_payloads() -> list[CloudVector]:
    """Every cloud message: envelopes, service messages, whole MQTT packets, encrypted HTTP bodies."""
    return [
        CloudVector(
            row["name"],
            row["topic"],
            bytes.fromhex(row["payload_hex"]),
            row["decoded"],
            "%s; %s" % (row["source"], row["verified"]),
        )
        for row in load("cloud_payloads.json")
    ]


def feed_three_ways(make_decoder: Callable[[], Any], stream: bytes) -> Iterator[tuple[str, list[Any]]]:
    """(way, everything a new decoder made of `stream`) for whole, byte by byte, and between garbage.

    `make_decoder()` returns an object with feed(bytes) -> list. The stream must end with a complete frame.
    """
    yield "whole", make_decoder().feed(stream)
    decoder = make_decoder()
    yield "byte by byte", [item for i in range(len(stream)) for item in decoder.feed(stream[i : i + 1])]
    yield "between garbage", make_decoder().feed(GARBAGE_BEFORE + stream + GARBAGE_AFTER)


def load(name: str) -> Any:
    """One vector file as it is on disk."""
    return json.loads((VECTORS / name).read_text(encoding="utf-8"))


def _expected(row: dict[str, Any]) -> ExpectedFrame:
    payload = bytes.fromhex(row["payload_hex"])
    return ExpectedFrame(int(row["cmd"], 16), row["sn"], row["flags"], payload, row["checksum_ok"])


def _case(row: dict[str, Any]) -> CaseVector:
    return CaseVector(
        row["name"],
        row["kind"],
        row["direction"],
        int(row["cmd"], 16),
        int(row["action"], 16),
        row["values"],
        row["raw"],
        bytes.fromhex(row["p0_hex"]),
        bytes.fromhex(row["wire_hex_sn_01"]),
        row["verified"],
        row["note"],
    )
