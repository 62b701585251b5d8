"""The outbox: what was put is there after any death of the process, in order, bounded, whatever the disk does."""

import asyncio
import os
import resource
import sqlite3
import stat
import subprocess
import sys
import time

import pytest
from gagent_linux.outbox import ALWAYS, OFFLINE, Outbox, OutboxRules
from gagent_linux.outbox_file import OutboxError, OutboxFile
from testkit.heard import LogText, in_loop, until

TOPIC = "dev2app/WCWGkbS4Ttynzwx9brzpEa"
OTHER_TOPIC = "dev2app/AAAAAAAAAAAAAAAAAAAAAA"


class House:
    """Outboxes of one port, one life after the other."""

    def __init__(
        self, folder, durability=ALWAYS, max_reports=1000, days=30, is_news=lambda payload: payload[:1] == b"!"
    ):
        self.state = str(folder / "state")
        self.path = os.path.join(self.state, "port.outbox")
        self.rules = OutboxRules(durability, max_reports, days)
        self.is_news = is_news
        self.log = LogText(0)

    def outbox(self):
        return Outbox(self.state, "port", self.rules, self.is_news, self.log.port, retry_s=0.01)

    def opened(self):
        outbox = self.outbox()
        outbox.open()
        return outbox

    async def put(self, outbox, *payloads, topic=TOPIC):
        """As the runner does: what is put is acked when it is safe."""
        for payload in payloads:
            outbox.put(topic, payload)
        await self.safe(outbox)

    async def safe(self, outbox):
        await until(lambda: outbox.safe >= outbox.newest, "all is safe", self.log.getvalue)

    def remove(self):
        if exists(self.path):
            os.unlink(self.path)

    def on_disk(self):
        """What another life would find, read from a copy, as after a kill; None when it changed under the copying."""
        copy = self.state + "-copy"
        os.makedirs(copy, exist_ok=True)
        for name in os.listdir(copy):
            os.unlink(os.path.join(copy, name))
        file = OutboxFile(os.path.join(copy, "port.outbox"))
        try:
            for name in os.listdir(self.state):
                if name.startswith("port."):
                    write(os.path.join(copy, name), content(os.path.join(self.state, name)))
            return [report.payload for report in file.load()]
        except (FileNotFoundError, OutboxError):
            return None
        finally:
            file.close()


def exists(path):
    return os.path.exists(path)


def content(path):
    with open(path, "rb") as file:
        return file.read()


def taken(outbox):
    """Everything that waits, delivered in order."""
    payloads = []
    while (report := outbox.first()) is not None:
        payloads.append(report.payload)
        outbox.delivered(report.seq)
    return payloads


def test_what_is_safe_is_on_disk_and_nobody_else_may_read_it(tmp_path):
    async def scene():
        house = House(tmp_path)
        outbox = house.opened()
        await house.put(outbox, b"one", b"two")
        assert house.on_disk() == [b"one", b"two"]
        for name in os.listdir(house.state):
            assert stat.S_IMODE(os.stat(os.path.join(house.state, name)).st_mode) == 0o600
        outbox.close()

    in_loop(scene())


def test_a_report_is_not_safe_before_the_disk_has_it(tmp_path):
    async def scene():
        house = House(tmp_path)
        outbox = house.opened()
        changed = asyncio.Event()
        outbox.on_change = changed.set
        outbox.put(TOPIC, b"one")
        assert outbox.safe < outbox.newest
        await changed.wait()
        assert outbox.safe == outbox.newest
        assert house.on_disk() == [b"one"]
        outbox.close()

    in_loop(scene())


def test_what_was_not_delivered_goes_first_in_the_next_life(tmp_path):
    async def scene():
        house = House(tmp_path)
        outbox = house.opened()
        await house.put(outbox, b"one", b"two", b"three")
        outbox.delivered(outbox.first().seq)
        # The process is killed: nothing is closed, the files stay as they are.
        os.rename(house.state, house.state + "-dead")
        os.makedirs(house.state)
        for name in os.listdir(house.state + "-dead"):
            os.link(os.path.join(house.state + "-dead", name), os.path.join(house.state, name))
        outbox._file.close()
        after = house.opened()
        await house.put(after, b"four")
        assert taken(after) == [b"two", b"three", b"four"]
        after.close()

    in_loop(scene())


def test_a_delivered_report_does_not_come_again(tmp_path):
    async def scene():
        house = House(tmp_path)
        outbox = house.opened()
        await house.put(outbox, *[b"%d" % n for n in range(10)])
        for _ in range(7):
            outbox.delivered(outbox.first().seq)
        outbox.close()
        after = house.opened()
        assert taken(after) == [b"7", b"8", b"9"]
        after.close()
        last = house.opened()
        assert taken(last) == []
        last.close()

    in_loop(scene())


def test_numbers_go_on_when_everything_was_delivered(tmp_path):
    """Otherwise the mark of an earlier life would cover the reports of this one."""

    async def scene():
        house = House(tmp_path)
        for _ in range(3):
            outbox = house.opened()
            await house.put(outbox, b"a%f" % time.monotonic(), b"b")
            assert len(taken(outbox)) == 2
            outbox.close()
            house.remove()

    in_loop(scene())


def test_a_report_that_the_mcu_sends_again_after_a_crash_is_not_stored_twice(tmp_path):
    async def scene():
        house = House(tmp_path)
        outbox = house.opened()
        await house.put(outbox, b"one", b"two")
        assert taken(outbox) == [b"one", b"two"]
        outbox.close()
        after = house.opened()
        await house.put(after, b"two", b"two", b"one")
        assert taken(after) == [b"two", b"one"]
        assert after.tally.repeated == 1
        after.close()

    in_loop(scene())


def test_one_that_is_not_safe_is_offered_only_if_it_is_the_oldest_of_them(tmp_path):
    """An MCU sends again what was not acked: more than one would arrive twice after a crash."""

    async def scene():
        house = House(tmp_path)
        outbox = house.opened()
        outbox.put(TOPIC, b"one")
        outbox.put(TOPIC, b"two")
        first = outbox.first()
        assert first.payload == b"one"
        outbox.delivered(first.seq)
        assert outbox.first() is None
        await house.safe(outbox)
        assert outbox.first().payload == b"two"
        outbox.close()

    in_loop(scene())


def test_when_it_is_full_the_oldest_state_goes_and_alerts_stay(tmp_path):
    async def scene():
        house = House(tmp_path, max_reports=4)
        outbox = house.opened()
        await house.put(outbox, b"!1", b"s2", b"!3", b"s4")
        assert len(outbox) == 4
        await house.put(outbox, b"s5")
        await house.put(outbox, b"!6")
        assert outbox.tally.dropped == {"state": 2, "news": 0, "age": 0, "identity": 0, "refused": 0}
        outbox.close()
        after = house.opened()
        assert taken(after) == [b"!1", b"!3", b"s5", b"!6"]
        assert house.log.getvalue().count("the outbox is full") == 1
        after.close()

    in_loop(scene())


def test_the_newest_report_is_never_dropped_and_alerts_only_when_there_is_nothing_else(tmp_path):
    async def scene():
        house = House(tmp_path, max_reports=3)
        outbox = house.opened()
        await house.put(outbox, b"!1", b"!2", b"!3", b"s4")
        assert outbox.tally.dropped["news"] == 1
        assert taken(outbox) == [b"!2", b"!3", b"s4"]
        outbox.close()

    in_loop(scene())


def test_bytes_are_bounded_as_well(tmp_path):
    async def scene():
        house = House(tmp_path)
        outbox = house.opened()
        files = [bytes((n % 250,)) * 65000 for n in range(300)]
        await house.put(outbox, *files)
        assert 200 < len(outbox) < 300
        assert taken(outbox)[-1] == files[-1]
        outbox.close()

    in_loop(scene())


def test_a_report_that_is_too_old_is_dropped_and_counted(tmp_path):
    async def scene():
        house = House(tmp_path, days=30)
        outbox = house.opened()
        await house.put(outbox, b"!old", b"!older", b"s")
        outbox.close()
        house.rules = house.rules._replace(days=0)
        after = house.opened()
        assert taken(after) == [b"s"]
        assert after.tally.dropped["age"] == 2
        after.close()

    in_loop(scene())


def test_what_was_for_another_identity_is_dropped_with_a_notice(tmp_path):
    async def scene():
        house = House(tmp_path)
        outbox = house.opened()
        await house.put(outbox, b"one", b"two", topic=OTHER_TOPIC)
        await house.put(outbox, b"three")
        outbox.keep_only(TOPIC.partition("/")[2])
        assert "identity that is no more" in house.log.getvalue()
        assert outbox.tally.dropped["identity"] == 2
        assert taken(outbox) == [b"three"]
        outbox.close()

    in_loop(scene())


def test_without_a_report_nothing_is_written(tmp_path):
    async def scene():
        house = House(tmp_path)
        outbox = house.opened()
        outbox.cloud_here()
        outbox.cloud_away()
        outbox.close()
        assert not exists(house.state)

    in_loop(scene())


# durability = "offline".


def test_offline_writes_nothing_while_the_cloud_takes_what_comes(tmp_path):
    async def scene():
        house = House(tmp_path, OFFLINE)
        outbox = house.opened()
        outbox.cloud_here()
        for n in range(100):
            outbox.put(TOPIC, b"%d" % n)
            assert outbox.safe == outbox.newest
            outbox.delivered(outbox.first().seq)
        assert not exists(house.state)
        outbox.close()

    in_loop(scene())


def test_offline_writes_what_waits_when_the_cloud_goes_and_all_that_comes_then(tmp_path):
    async def scene():
        house = House(tmp_path, OFFLINE)
        outbox = house.opened()
        outbox.cloud_here()
        outbox.put(TOPIC, b"one")
        outbox.cloud_away()
        await until(lambda: exists(house.path) and house.on_disk() == [b"one"], "it is on disk")
        await house.put(outbox, b"two")
        assert house.on_disk() == [b"one", b"two"]
        outbox.close()

    in_loop(scene())


def test_offline_a_cloud_that_falls_behind_is_as_good_as_away(tmp_path):
    async def scene():
        house = House(tmp_path, OFFLINE)
        outbox = house.opened()
        outbox.cloud_here()
        await house.put(outbox, *[b"%d" % n for n in range(40)])
        assert len(house.on_disk()) >= 40
        outbox.close()

    in_loop(scene())


def test_offline_the_end_of_the_process_keeps_what_waits(tmp_path):
    async def scene():
        house = House(tmp_path, OFFLINE)
        outbox = house.opened()
        outbox.cloud_here()
        outbox.put(TOPIC, b"one")
        outbox.close()
        assert taken(house.opened()) == [b"one"]

    in_loop(scene())


# Damage.


def write(path, data):
    with open(path, "wb") as file:
        file.write(data)


def spoil(path, find, replace):
    assert find in content(path)
    write(path, content(path).replace(find, replace, 1))


def fill_with_garbage(path):
    write(path, os.urandom(len(content(path))))


def cut(path):
    write(path, content(path)[: len(content(path)) // 2 + 17])


def fill_with_zeros(path):
    write(path, bytes(len(content(path))))


def tear_a_page(path):
    data = content(path)
    write(path, data[:1024] + os.urandom(1024) + data[2048:])


def test_a_row_that_was_altered_is_set_aside_and_the_others_go_on(tmp_path):
    async def scene():
        house = House(tmp_path)
        outbox = house.opened()
        await house.put(outbox, b"first-one", b"second-one", b"third-one")
        outbox.close()
        spoil(house.path, b"second-one", b"sXcond-one")
        after = house.opened()
        assert "1 rows with a wrong checksum): set aside as %s.damaged-1; 2 reports saved" % house.path in (
            house.log.getvalue()
        )
        await until(
            lambda: exists(house.path) and house.on_disk() == [b"first-one", b"third-one"],
            "the saved ones are on disk again",
        )
        assert taken(after) == [b"first-one", b"third-one"]
        assert after.tally.damaged == 1
        after.close()
        assert b"sXcond-one" in content(house.path + ".damaged-1")

    in_loop(scene())


@pytest.mark.parametrize("ruin", [fill_with_garbage, cut, fill_with_zeros, tear_a_page])
def test_a_file_that_is_none_is_set_aside_and_the_port_goes_on(tmp_path, ruin):
    async def scene():
        house = House(tmp_path)
        outbox = house.opened()
        await house.put(outbox, *[b"%d" % n * 50 for n in range(100)])
        outbox.close()
        ruin(house.path)
        after = house.opened()
        assert "is damaged" in house.log.getvalue()
        assert exists(house.path + ".damaged-1")
        await house.put(after, b"goes on")
        assert taken(after)[-1] == b"goes on"
        after.close()

    in_loop(scene())


def test_a_mark_that_is_damaged_is_set_aside_and_what_is_stored_is_sent_again(tmp_path):
    async def scene():
        house = House(tmp_path)
        outbox = house.opened()
        await house.put(outbox, b"one", b"two")
        outbox.delivered(outbox.first().seq)
        outbox.close()
        mark = os.path.join(house.state, "port.delivered")
        spoil(mark, content(mark)[:1], b"\xff")
        after = house.opened()
        assert "port.delivered is damaged" in house.log.getvalue()
        assert exists(mark + ".damaged")
        assert taken(after) == [b"one", b"two"]
        after.close()

    in_loop(scene())


# A disk that does not take it.


def test_a_full_disk_is_told_once_memory_serves_and_recovery_is_by_itself(tmp_path):
    async def scene():
        house = House(tmp_path)
        outbox = house.opened()
        await house.put(outbox, b"before")
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        # Everything this process writes ends here: for SQLite it is a disk error like any other.
        resource.setrlimit(resource.RLIMIT_FSIZE, (8192, hard))
        try:
            for n in range(50):
                await house.put(outbox, b"%d " % n * 100)
            assert house.log.getvalue().count("reports are kept in memory") == 1
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        await house.log.says("nothing was lost")
        expected = [b"before", *[b"%d " % n * 100 for n in range(50)]]
        await until(lambda: house.on_disk() == expected, "all of it is on disk", house.log.getvalue)
        await house.put(outbox, b"after")
        assert taken(outbox) == [*expected, b"after"]
        outbox.close()

    in_loop(scene())


def test_a_state_directory_that_cannot_be_used_at_the_start_loses_nothing_of_either_life(tmp_path):
    async def scene():
        house = House(tmp_path)
        outbox = house.opened()
        await house.put(outbox, b"of the first life")
        outbox.close()
        # Another process has it: as it is when the old one takes its time to end.
        other = sqlite3.connect(house.path)
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        after = house.opened()
        await house.put(after, b"of the second")
        assert after.first().payload == b"of the second"
        under_way = after.first().seq
        assert house.log.getvalue().count("reports are kept in memory") == 1
        other.close()
        await house.log.says("nothing was lost")
        after.delivered(under_way)
        await house.safe(after)
        assert taken(after) == [b"of the first life", b"of the second"]
        after.close()

    in_loop(scene())


def test_a_directory_that_is_missing_is_made_when_it_can_be(tmp_path):
    async def scene():
        house = House(tmp_path)
        (tmp_path / "state").write_text("a file is in the way")
        outbox = house.opened()
        await house.put(outbox, b"one")
        assert "reports are kept in memory" in house.log.getvalue()
        (tmp_path / "state").unlink()
        await house.log.says("nothing was lost")
        await until(lambda: exists(house.path) and house.on_disk() == [b"one"], "it is on disk", house.log.getvalue)
        outbox.close()

    in_loop(scene())


# The real thing.

_PUT_AND_DIE = """
import asyncio, os, signal, sys
sys.path[:0] = %r
from gagent_linux.log import PortLog, Redactor, open_log
from gagent_linux.outbox import ALWAYS, Outbox, OutboxRules
async def main():
    log = PortLog(open_log(0, Redactor()), "port")
    outbox = Outbox(sys.argv[1], "port", OutboxRules(ALWAYS, 1000, 30), lambda payload: False, log)
    outbox.open()
    for n in range(20):
        outbox.put("dev2app/did", b"%%d" %% n)
        while outbox.safe < outbox.newest:
            await asyncio.sleep(0)
        print(n, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(main())
"""


def test_what_was_safe_outlives_a_kill(tmp_path):
    code = _PUT_AND_DIE % [os.path.abspath(path) for path in sys.path]
    died = subprocess.run([sys.executable, "-c", code, str(tmp_path / "state")], capture_output=True, check=False)
    assert died.returncode == -9, died.stderr

    async def scene():
        house = House(tmp_path)
        outbox = house.opened()
        assert taken(outbox) == died.stdout.split()
        outbox.close()

    in_loop(scene())
