"""The serial port over real pseudo-terminals and URLs: opened for ever, bytes both ways, each trouble told once."""

import asyncio
import errno
import os
import subprocess
import sys

import pytest
from gagent_linux.serial_line import MAX_UNSENT
from gagent_linux.serial_port import SerialPort, explain
from testkit.heard import Heard, LogText, in_loop, until
from testkit.mosquitto_running import free_port
from testkit.pty_pair import PtyPair
from testkit.raw_server import serving

# Short, so that a test sees many tries.
RETRY_S = 0.01


class Scene:
    """A port on a pty of its own, not yet plugged in."""

    def __init__(self, folder, url=None):
        self.far = PtyPair(folder)
        self.heard = Heard()
        self.log = LogText()
        self.opened = 0
        note = self.heard.note
        self.port = SerialPort(
            url or self.far.path, 9600, self.count, note("data"), note("lost"), self.log.port, RETRY_S
        )

    def count(self):
        self.opened += 1

    async def data(self, size):
        """The next `size` bytes the port gave."""
        got = b""
        while len(got) < size:
            kind, piece = await self.heard.next()
            assert kind == "data"
            got += piece
        return got


def test_bytes_cross_in_both_directions(tmp_path):
    async def scene():
        s = Scene(tmp_path)
        s.far.plug_in()
        s.port.start()
        await s.log.says("is open at 9600 baud")
        every_byte = bytes(range(256))
        s.far.write(every_byte)
        assert await s.data(256) == every_byte
        s.port.write(every_byte)
        assert await s.far.read(256) == every_byte
        s.port.close()

    in_loop(scene())


def test_a_missing_port_is_told_once_and_waited_for(tmp_path):
    async def scene():
        s = Scene(tmp_path)
        s.port.start()
        await s.log.says("does not exist: plug the adapter in")
        await asyncio.sleep(RETRY_S * 20)  # many tries, of which nothing tells
        s.far.plug_in()
        await s.log.says("is open")
        s.far.write(b"x")
        assert await s.heard.next() == ("data", b"x")
        assert s.log.getvalue().count("\n") == 2
        s.port.close()

    in_loop(scene())


def test_a_port_that_goes_and_comes_is_told_once_each_and_used_again(tmp_path):
    async def scene():
        s = Scene(tmp_path)
        s.far.plug_in()
        s.port.start()
        await s.log.says("is open")
        for turn in (2, 3):
            s.far.pull_out()
            assert await s.heard.next() == ("lost",)
            s.port.write(b"into the void")
            s.far.plug_in()
            await s.log.says("is open", times=turn)
            s.port.write(b"hello")
            assert await s.far.read(5) == b"hello"
            s.far.write(b"again")
            assert await s.data(5) == b"again"
        assert s.opened == 3
        assert s.log.getvalue().count("is gone (") == 2
        assert s.log.getvalue().count("\n") == 5
        assert s.heard.nothing_more()
        s.port.close()

    in_loop(scene())


def test_a_closed_port_gives_nothing_and_can_be_opened_by_others(tmp_path):
    async def scene():
        s = Scene(tmp_path)
        s.far.plug_in()
        s.port.start()
        await s.log.says("is open")
        s.port.close()
        s.port.write(b"x")
        other = Scene(tmp_path, s.far.path)
        other.port.start()
        await other.log.says("is open")
        s.far.write(b"y")
        assert await other.heard.next() == ("data", b"y")
        assert s.heard.nothing_more()
        other.port.close()

    in_loop(scene())


def test_a_port_closed_while_it_is_opened_is_let_go(tmp_path):
    async def scene():
        s = Scene(tmp_path)
        s.far.plug_in()
        s.port.start()
        s.port.close()
        other = Scene(tmp_path, s.far.path)
        other.port.start()
        await other.log.says("is open")
        other.port.close()

    in_loop(scene())


def test_what_the_line_does_not_take_at_once_is_kept_up_to_the_maximum(tmp_path):
    async def scene():
        s = Scene(tmp_path)
        s.far.plug_in()
        s.port.start()
        await s.log.says("is open")
        # Nobody reads: the kernel's buffer fills, then ours; what is over is refused as a whole.
        frames = [bytes((n % 251,)) * 1000 for n in range(MAX_UNSENT // 1000 + 40)]
        taken = []
        for frame in frames:
            before = s.log.getvalue().count("a frame was dropped")
            s.port.write(frame)
            if s.log.getvalue().count("a frame was dropped") == before:
                taken.append(frame)
        assert MAX_UNSENT // 1000 <= len(taken) < len(frames)
        expected = b"".join(taken)
        assert await s.far.read(len(expected)) == expected
        s.port.write(b"after")
        assert await s.far.read(5) == b"after"
        s.port.close()

    in_loop(scene())


HOLD = "import serial, sys; p = serial.Serial(sys.argv[1], exclusive=True); print('held', flush=True); sys.stdin.read()"


def test_a_busy_port_is_told_with_the_program_that_has_it(tmp_path):
    async def scene():
        s = Scene(tmp_path)
        s.far.plug_in()
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        holder = await asyncio.create_subprocess_exec(sys.executable, "-c", HOLD, s.far.path, **pipes)
        try:
            assert await holder.stdout.readline() == b"held\n"
            s.port.start()
            await s.log.says("is in use by")
            assert "(pid %d): stop it" % holder.pid in s.log.getvalue()
        finally:
            holder.kill()
            await holder.communicate()
        await s.log.says("is open")
        # While it ends, the port may be taken still and nobody be seen who has it: that is another trouble.
        assert s.log.getvalue().count("(pid %d): stop it" % holder.pid) == 1
        s.port.close()

    in_loop(scene())


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_is_no_serial_port_is_told(tmp_path, kind):
    async def scene():
        path = tmp_path / "thing"
        if kind == "file":
            path.write_text("hello")
        else:
            path.mkdir()
        s = Scene(tmp_path, str(path))
        s.port.start()
        await s.log.says("is not a serial port: correct `port`")
        s.port.close()

    in_loop(scene())


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOENT, "plug the adapter in"),
        (errno.EACCES, "sudo usermod -aG "),
        (errno.EBUSY, "in use by another program: stop it"),
        (errno.EIO, "does not exist"),
        (errno.EMFILE, "trying again"),
    ],
)
def test_every_trouble_says_what_to_do(number, words):
    message = explain("/dev/nosuch", OSError(number, os.strerror(number)))
    assert message.startswith(("/dev/nosuch ", "no permission to open /dev/nosuch"))
    assert words in message
    assert "\n" not in message


def test_a_socket_url_is_a_port_too(tmp_path):
    async def scene():
        far = []

        async def talk(reader, writer):
            far.append(writer)
            writer.write(b"\xff\xff" + await reader.readexactly(3))
            await reader.readexactly(1)

        async with serving(talk) as port:
            s = Scene(tmp_path, "socket://127.0.0.1:%d" % port)
            s.port.start()
            await s.log.says("is open")
            s.port.write(b"abc")
            assert await s.data(5) == b"\xff\xffabc"
            s.port.write(b".")
            assert await s.heard.next() == ("lost",)
            await s.log.says("is open", times=2)
            s.port.close()

    in_loop(scene())


def test_a_socket_url_that_nobody_answers_is_waited_for(tmp_path):
    async def scene():
        s = Scene(tmp_path, "socket://127.0.0.1:%d" % free_port())
        s.port.start()
        await s.log.says("cannot be opened")
        s.port.close()

    in_loop(scene())


def test_a_url_without_a_descriptor_is_a_port_too(tmp_path):
    async def scene():
        s = Scene(tmp_path, "loop://")
        s.port.start()
        await s.log.says("is open")
        every_byte = bytes(range(256))
        s.port.write(every_byte)
        assert await s.data(256) == every_byte
        s.port.close()

    in_loop(scene())


def test_a_url_without_a_descriptor_that_ends_is_lost_and_opened_again(tmp_path):
    """`spy://` around a pty: threads read it, and see it go."""

    async def scene():
        far = PtyPair(tmp_path)
        s = Scene(tmp_path, "spy://%s?file=%s" % (far.path, tmp_path / "spied"))
        far.plug_in()
        s.port.start()
        await s.log.says("is open")
        far.write(b"x")
        assert await s.heard.next() == ("data", b"x")
        far.pull_out()
        assert await s.heard.next() == ("lost",)
        far.plug_in()
        await s.log.says("is open", times=2)
        s.port.write(b"hello")
        assert await far.read(5) == b"hello"
        s.port.close()
        await until(lambda: "hello" in (tmp_path / "spied").read_text(), "the spy saw it")

    in_loop(scene())
