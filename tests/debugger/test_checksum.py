"""Checksums by name and by polynomial, and finding out which one a frame has."""

import subprocess

import crcmod.predefined
import pytest
from mcu_debugger.checksum import ChecksumError, algorithm, algorithms, of_polynomial, unstuffed, which
from testkit.debugger_process import ENVIRONMENT, plain_command
from testkit.patience import PATIENCE_S

from mcu_proto.frame import encode_frame

CHECK = b"123456789"


def crc(*args, stdin=""):
    return subprocess.run(
        plain_command("crc", *args),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        env=ENVIRONMENT,
    )


def test_every_crc_of_the_library_is_known():
    ours = {each.name for each in algorithms()}
    for name in ("crc-8", "crc-16", "modbus", "xmodem", "crc-ccitt-false", "crc-32", "crc-64"):
        assert name in ours
        assert algorithm(name).compute(CHECK) == crcmod.predefined.PredefinedCrc(name).new(CHECK).crcValue


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sum8", 0xDD),
        ("sum8-twos", 0x23),
        ("sum8-ones", 0x22),
        ("xor8", 0x31),
        ("sum16", 0x01DD),
        ("fletcher-16", 0x1EDE),
        ("modbus", 0x4B37),
        ("crc-ccitt-false", 0x29B1),
        ("crc-32", 0xCBF43926),
    ],
)
def test_check_value_is_the_one_of_the_books(name, value):
    assert algorithm(name).compute(CHECK) == value


def test_crc_by_its_parameters():
    assert of_polynomial(0x11021, 0xFFFF, False, 0).compute(CHECK) == 0x29B1
    assert of_polynomial(0x104C11DB7, 0, True, 0xFFFFFFFF).compute(CHECK) == 0xCBF43926


@pytest.mark.parametrize("poly", [0, 1, 0x1021, 0x12])
def test_polynomial_of_no_whole_bytes_is_refused(poly):
    with pytest.raises(ChecksumError, match="leading 1"):
        of_polynomial(poly, 0, False, 0)


@pytest.mark.parametrize("each", algorithms(), ids=lambda each: each.name)
def test_frame_tells_its_checksum_whatever_header_it_has(each):
    body = bytes(range(40, 60))
    for order in ("big", "little"):
        for header in (b"", b"\xaa\x55"):
            frame = header + body + each.compute(body).to_bytes(each.size, order)
            found = [(match.algorithm.name, match.start) for match in which(frame)]
            assert (each.name, len(header)) in found


def test_checksum_of_the_protocol_is_found_in_a_stuffed_frame():
    frame = encode_frame(7, 0xFF, b"\xff\x01")
    assert ("sum8", 2) in [(match.algorithm.name, match.start) for match in which(unstuffed(frame))]


def test_command_prints_the_value_and_says_when_nothing_fits():
    assert crc("00", "05", "07", "1a", "00", "00").stdout == "26\n"
    assert crc("--name", "modbus", "-", stdin="31 32 33 34 35 36 37 38 39").stdout == "4b 37\n"
    assert crc("--which", "ff ff 00 05 07 1a 00 00 26").stdout.splitlines()[-1] == "sum8 over bytes 3 to 7"
    nothing = crc("--which", "12 34 56 78 9a")
    assert (nothing.returncode, nothing.stdout) == (1, "")
    assert "crc-16" in crc("--list").stdout


@pytest.mark.parametrize("args", [(), ("--name", "crc-99", "01"), ("--poly", "0x12", "01"), ("xyz",)])
def test_misuse_exits_2(args):
    assert crc(*args).returncode == 2
