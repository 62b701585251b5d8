"""The recordings of the reference agent in `tests/captures`: serial writes, MQTT messages and HTTP answers."""

import json
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path

CAPTURES = Path(__file__).parent.parent / "captures"

TO_MCU = "agent>mcu"
TO_AGENT = "mcu>agent"
UP = "agent>cloud"
DOWN = "cloud>agent"

# `line` counts from 1, as an editor does; `now` is whole milliseconds.
Write = namedtuple("Write", "capture line now direction data")
Message = namedtuple("Message", "capture line now direction topic payload")
Answer = namedtuple("Answer", "capture line method path status body")

_PUBLISH = 3
_CONNECT = 1


def names() -> list[str]:
    """Every scenario, without the file's suffix."""
    return sorted(path.stem for path in CAPTURES.glob("*.jsonl"))


def serial(name: str) -> list[Write]:
    """Every write on the serial line; a dribbled frame is one write, at the line of its first byte."""
    writes: list[Write] = []
    dribbling = False
    for line, row in rows(name, "serial"):
        write = Write(name, line, int(row["t_ms"]), row["dir"], bytes.fromhex(row["hex"]))
        single = len(write.data) == 1
        if single and dribbling:
            writes[-1] = writes[-1]._replace(now=write.now, data=writes[-1].data + write.data)
        else:
            writes.append(write)
        dribbling = single
    return writes


def messages(name: str) -> list[Message]:
    """Every PUBLISH, also those that share a segment or are cut by it."""
    found = []
    rest = {UP: b"", DOWN: b""}
    for line, row in rows(name, "mqtt"):
        direction = row["dir"]
        data = bytes.fromhex(row["hex"])
        if direction == UP and data[0] >> 4 == _CONNECT:
            rest = {UP: b"", DOWN: b""}
        rest[direction] += data
        while (packet := _packet(rest[direction])) is not None:
            kind, body, size = packet
            rest[direction] = rest[direction][size:]
            if kind == _PUBLISH:
                end = 2 + int.from_bytes(body[:2], "big")
                found.append(Message(name, line, int(row["t_ms"]), direction, body[2:end].decode(), body[end:]))
    return found


def answers(name: str) -> list[Answer]:
    """Every HTTP answer with the request before it."""
    found = []
    method = path = ""
    for line, row in rows(name, "http"):
        head, _, body = row["text"].partition("\r\n\r\n")
        words = head.split(" ", 2)
        if row["dir"] == UP:
            method, path = words[:2]
        elif row["dir"] == DOWN:
            found.append(Answer(name, line, method, path, int(words[1]), body.encode("latin-1")))
    return found


def rows(name: str, *links: str) -> Iterator[tuple[int, dict]]:
    """(line, what stands there) of everything that went over these links."""
    lines = (CAPTURES / (name + ".jsonl")).read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, 1):
        row = json.loads(line)
        if row["link"] in links and row["dir"] != "note":
            yield number, row


def _packet(data: bytes) -> "tuple[int, bytes, int] | None":
    """(type, body, size on the wire) of the first whole control packet."""
    size = shift = 0
    for at in range(1, min(len(data), 5)):
        size |= (data[at] & 127) << shift
        shift += 7
        if data[at] < 128:
            end = at + 1 + size
            return (data[0] >> 4, data[at + 1 : end], end) if end <= len(data) else None
    return None
