"""A pseudo-terminal at the speed of a line, seen from the module's side."""

import os
import time

import pytest
from mcu_debugger.paced_pty import PacedPty
from mcu_debugger.port import open_port
from testkit.patience import PATIENCE_S


@pytest.fixture
def line():
    port = PacedPty(open_port("pty", 9600), 9600)
    module = os.open(port.name, os.O_RDWR | os.O_NOCTTY)
    yield port, module
    os.close(module)
    port.close()


def read(get, size):
    """So many bytes, and the moment of the last."""
    data = b""
    end = time.monotonic() + PATIENCE_S
    while len(data) < size:
        assert time.monotonic() < end
        data += get()
    return data, time.monotonic()


def test_bytes_arrive_whole_in_both_directions_and_no_faster_than_the_line(line):
    port, module = line
    data = bytes(range(256)) * 2
    began = time.monotonic()
    port.write(data)
    heard, at = read(lambda: os.read(module, 4096), len(data))
    assert heard == data and at - began >= len(data) * 10 / 9600
    began = time.monotonic()
    os.write(module, data)
    heard, at = read(port.read, len(data))
    assert heard == data and at - began >= len(data) * 10 / 9600


def test_nothing_to_read_is_nothing(line):
    assert line[0].read() == b""


def test_a_line_that_is_closed_ends_its_thread_and_its_link(tmp_path):
    link = str(tmp_path / "mcu")
    port = PacedPty(open_port("pty", 9600, link), 9600)
    port.close()
    assert not os.path.lexists(link) and not port._thread.is_alive()
