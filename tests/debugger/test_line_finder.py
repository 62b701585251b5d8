"""Finding speed and framing: a UART in software is read at every setting, and only the right one convinces."""

import pytest
from mcu_debugger.line_finder import BAUDS, FRAMINGS, Setting, best, candidates, is_certain, score

from mcu_proto.frame import encode_frame

_REPORTS = (bytes(range(60)), b"\x04\xff\xff\xff")
_EXCHANGES = (
    (7, b""),
    (8, b""),
    (5, _REPORTS[0]),
    (6, b""),
    (0x0D, b"\x07\x3a"),
    (0x0E, b""),
    (5, _REPORTS[1]),
    (6, b""),
)
TRAFFIC = b"".join(encode_frame(cmd, sn, payload) for sn, (cmd, payload) in enumerate(_EXCHANGES))


def parity_bit(kind, bits):
    return {"N": [], "E": [sum(bits) & 1], "O": [1 - (sum(bits) & 1)]}[kind]


def sent(data, setting):
    """(level, seconds) of the line while `data` is sent."""
    size, parity, stops = int(setting.framing[0]), setting.framing[1], int(setting.framing[2])
    levels = [1] * 20
    for byte in data:
        bits = [byte >> n & 1 for n in range(size)]
        levels += [0, *bits, *parity_bit(parity, bits), *[1] * stops]
    return levels + [1] * 20, 1 / setting.baud


def heard(levels, bit_s, setting):
    """What a receiver with `setting` makes of the line; bytes with a wrong parity or stop bit are kept."""
    size, parity = int(setting.framing[0]), setting.framing[1]
    length = len(levels) * bit_s
    step = 1 / setting.baud
    at = 0.0
    out = bytearray()

    def level(time):
        return levels[min(int(time / bit_s), len(levels) - 1)]

    while at < length:
        if level(at):
            at += bit_s / 4
            continue
        bits = [level(at + step * (n + 1.5)) for n in range(size)]
        out.append(sum(bit << n for n, bit in enumerate(bits)))
        at += step * (1.5 + size + (parity != "N"))
        # Not before the line is high again.
        while at < length and not level(at):
            at += bit_s / 4
    return bytes(out)


def scores(setting, settings):
    levels, bit_s = sent(TRAFFIC, setting)
    return [score(each, heard(levels, bit_s, each)) for each in settings]


@pytest.mark.parametrize("baud", [2400, 9600, 115200, 1_000_000])
def test_right_speed_is_found_among_its_neighbours(baud):
    near = [each for each in BAUDS if baud / 8 <= each <= baud * 8]
    found = scores(Setting(baud, "8N1"), [Setting(each, "8N1") for each in near])
    assert best(found).setting.baud == baud
    assert [each.setting.baud for each in found if is_certain(each)] == [baud]


def test_right_framing_is_found_at_the_right_speed():
    found = scores(Setting(9600, "8E1"), [Setting(9600, framing) for framing in FRAMINGS])
    # An 8N2 receiver takes it too; it reads the parity bit as the first stop bit.
    assert best(found).setting.framing in ("8N1", "8E1", "8O1", "8N2")
    assert best(found).good == 8


def test_silence_and_noise_convince_nobody():
    assert best([score(Setting(9600, "8N1"), data) for data in (b"", b"hello world" * 9, b"\xff\xff" * 40)]) is None
    # One good frame may be an accident, alone and in much noise.
    assert not is_certain(score(Setting(9600, "8N1"), TRAFFIC[:9]))
    assert not is_certain(score(Setting(9600, "8N1"), TRAFFIC[:9] + b"x" * 900))


def test_likely_settings_come_first():
    first, second, *rest = candidates()
    assert (first, second) == (Setting(9600, "8N1"), Setting(115200, "8N1"))
    assert len(set(candidates())) == len(BAUDS) * len(FRAMINGS) == 2 + len(rest)
