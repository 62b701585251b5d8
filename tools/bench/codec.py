"""How fast frames and datapoints are encoded and decoded, in one thread of this process."""

import gc
import random
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from errors import BenchError
from figure import Baseline, Figure
from plain_decoder import PlainDecoder, encode_plain
from plan import Plan

from mcu_proto.const import CMD_P0_UP
from mcu_proto.datapoint import WRITABLE, Schema
from mcu_proto.frame import FrameDecoder, encode_frame

# An ack's size and less, the report of a middling appliance, a piece of a file.
_PAYLOADS = (8, 46, 512)
# A line that is read as it comes, and a backlog.
_READS = (64, 4096)
_SEED = 1
# The demo's heat pump at work.
_STATE = {
    "power": True,
    "mode": "heat",
    "target_temp": 45.5,
    "week_program": bytes(7),
    "pump": True,
    "water_in": 28.5,
    "water_out": 31,
    "outdoor_temp": -7.5,
    "energy": 1234.56,
}


def measure(plan: Plan, definition: dict[str, Any]) -> list[Figure]:
    """Frames and datapoints a second."""
    figures = []
    for size in _PAYLOADS:
        payloads = _payloads(size, plan.stream_bytes)
        frames = [encode_frame(CMD_P0_UP, i & 0xFF, payload) for i, payload in enumerate(payloads)]
        for read in _READS:
            figures.append(_decoding("payload %d, reads of %d" % (size, read), frames, read, plan))
        figures.append(_decoding("payload %d, 10 %% noise" % size, _with_noise(frames), _READS[-1], plan))
        figures.append(
            _compared(
                "encode frames, payload %d" % size,
                partial(_encode, encode_frame, payloads),
                partial(_encode, encode_plain, payloads),
                plan.runs,
            )
        )
    return figures + _datapoints(plan, definition)


def _decoding(what: str, frames: list[bytes], read: int, plan: Plan) -> Figure:
    stream = b"".join(frames)
    pieces = [stream[at : at + read] for at in range(0, len(stream), read)]
    return _compared(
        "decode frames, " + what,
        partial(_decode, FrameDecoder, pieces),
        partial(_decode, PlainDecoder, pieces),
        plan.runs,
    )


def _with_noise(frames: list[bytes]) -> list[bytes]:
    """One byte of noise for ten of frames, between them; without ff, so that both decoders find the same frames."""
    source = random.Random(_SEED)  # noqa: S311
    noisy = []
    owed = 0.0
    for frame in frames:
        owed += len(frame) / 10
        noisy += [bytes(source.randrange(0xFF) for _ in range(int(owed))), frame]
        owed -= int(owed)
    return noisy


def _payloads(size: int, stream_bytes: int) -> list[bytes]:
    # Any byte: one in 256 is an ff, which costs both decoders a detour.
    source = random.Random(_SEED)  # noqa: S311 - the same stream each time is the point
    return [source.randbytes(size) for _ in range(max(1, stream_bytes // (size + 9)))]


def _decode(make_decoder: Callable[[], FrameDecoder | PlainDecoder], pieces: list[bytes]) -> int:
    decoder = make_decoder()
    count = 0
    for piece in pieces:
        count += len(decoder.feed(piece))
    return count


def _encode(encode: Callable[[int, int, bytes], bytes], payloads: list[bytes]) -> int:
    for payload in payloads:
        encode(CMD_P0_UP, 1, payload)
    return len(payloads)


def _datapoints(plan: Plan, definition: dict[str, Any]) -> list[Figure]:
    schema = Schema.from_definition(definition)
    report = schema.encode_report(_STATE)
    values = schema.decode(report)
    wanted = {attr.name: values[attr.name] for attr in schema.attrs if attr.access == WRITABLE}
    count = max(1, plan.stream_bytes // 100)
    return [
        Figure("decode reports, %d attributes" % len(values), "/s", _rates(lambda: schema.decode(report), count, plan)),
        Figure(
            "encode reports, %d attributes" % len(values),
            "/s",
            _rates(lambda: schema.encode_report(values), count, plan),
        ),
        Figure(
            "encode controls, %d attributes" % len(wanted),
            "/s",
            _rates(lambda: schema.encode_control(wanted), count, plan),
        ),
    ]


def _rates(call: Callable[[], object], count: int, plan: Plan) -> list[float]:
    def repeat() -> int:
        for _ in range(count):
            call()
        return count

    return [_rate(repeat)[0] for _ in range(plan.runs)]


def _compared(name: str, ours: Callable[[], int], plain: Callable[[], int], runs: int) -> Figure:
    values, base = [], []
    for _ in range(runs):
        rate, count = _rate(ours)
        plain_rate, plain_count = _rate(plain)
        if count != plain_count:
            raise BenchError("%s: %d came out, %d of the plain one" % (name, count, plain_count))
        values.append(rate)
        base.append(plain_rate)
    return Figure(name, "frames/s", values, Baseline("byte at a time", base))


def _rate(work: Callable[[], int]) -> tuple[float, int]:
    """(units of work a second, units)."""
    gc.collect()
    gc.disable()
    try:
        began = time.perf_counter()
        count = work()
        return count / (time.perf_counter() - began), count
    finally:
        gc.enable()
