"""The outbox of one port: a report is in it before its MCU is told that it arrived, and until the broker has taken it.

    put ──▶ queue (memory) ──▶ delivery: oldest first ──▶ delivered: out of the queue, the mark says so
              │    ▲                                                     │
              ▼    │ start                                               ▼
            rows on disk, written by a thread                     12 bytes beside them

It survives kill -9 and a power cut at any moment (nothing that was acked is lost), a damaged file (set aside, the rest
goes on), a disk that is full, read-only or gone (told once; memory serves until the disk is back, then all is written).
Whoever acks a report waits until `safe` has come to what `newest` was when the report was put.
"""

import asyncio
import os
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import NamedTuple

from gagent import topics

from .log import PortLog
from .outbox_file import OutboxError, OutboxFile, Report
from .outbox_mark import OutboxMark
from .outbox_queue import OutboxQueue
from .outbox_tally import IDENTITY, REFUSED, OutboxTally
from .outbox_writer import OutboxWriter

# Each report is on disk before its ack; or only those that the broker does not take at once.
ALWAYS = "always"
OFFLINE = "offline"

_DAY_S = 86400
# Before this the system clock was never set: 2024-01-01. No age is made from such a time.
_PLAUSIBLE_UTC = 1704067200
# An MCU sends a report that was not acked three times within a second, and the module starts anew within ten.
_REPEAT_S = 10
# With "offline": a cloud that has not taken a report after so long, or leaves so many waiting, is as good as away.
_BEHIND_S = 5
_BEHIND = 16
# Rows that are delivered and still on disk: at most so many are sent again after a power cut (a kill repeats none).
_MAX_STALE = 50
RETRY_S = 5
# A disk that is nearly full comes and goes: that is said once in this time.
_QUIET_S = 3600
# Numbers for reports that come before the disk said which are taken.
_UNNUMBERED = 1 << 61


class OutboxRules(NamedTuple):
    """`durability` is ALWAYS or OFFLINE; at most `max_reports` are kept, none longer than `days`."""

    durability: str
    max_reports: int
    days: float


class Outbox:
    """Kept in the directory `state` as `name`; `is_news(payload)` says whether an alert or fault changed.

    `on_change()` is called when `safe` has grown without a `put`, and when a report was delivered.
    """

    def __init__(
        self,
        state: str,
        name: str,
        rules: OutboxRules,
        is_news: Callable[[bytes], bool],
        log: PortLog,
        retry_s: float = RETRY_S,
    ) -> None:
        self.path = os.path.join(state, name + ".outbox")
        self.tally = OutboxTally(log)
        self.newest = 0
        self.safe = 0
        self.on_change: Callable[[], None] = _nothing
        self._file = OutboxFile(self.path)
        self._mark = OutboxMark(os.path.join(state, name + ".delivered"), log)
        self._writer = OutboxWriter()
        self._queue = OutboxQueue(rules.max_reports, rules.days * _DAY_S)
        self._durability = rules.durability
        self._is_news = is_news
        self._log = log
        self._unsaved: dict[int, Report] = {}
        self._writing: dict[int, Report] | None = None
        self._dropped: list[int] = []
        self._stale = 0
        self._delivered = 0
        self._last: Report | None = None
        self._did: str | None = None
        self._here = False
        self._loaded = False
        self._trouble = ""
        self._quiet_until = 0.0
        self._retry_s = retry_s
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._queue)

    def open(self) -> None:
        """Take up what the last life left."""
        try:
            self._take_up(self._read())
        except OutboxError as error:
            self.newest = self.safe = _UNNUMBERED
            self._fail(error)

    def close(self) -> None:
        """Write what is not written, and let go of the files."""
        if self._timer is not None:
            self._timer.cancel()
        if self._trouble and self._loaded:
            self._writer.write(partial(self._file.rewrite, self._queue.reports()), _ignore)
        elif self._unsaved and not self._trouble:
            self._write(self._unsaved, _ignore)
        if self._writer.close():
            self._file.close()
        self._mark.close()

    def put(self, topic: str, payload: bytes) -> None:
        """Take a report; it may be acked when `safe` has come to `newest`."""
        stored = int(time.time())
        if self._is_repeat(topic, payload, stored):
            self.tally.repeated += 1
            return
        self.newest += 1
        report = Report(self.newest, stored, int(self._is_news(payload)), topic, payload)
        self.tally.taken += 1
        self._unsaved[report.seq] = report
        self._forget(self._queue.expire(time.monotonic()))
        self._forget(self._queue.add(report, time.monotonic()))
        self._save()

    def first(self) -> Report | None:
        """The report to deliver next.

        Of those that are not yet safe only the oldest: an MCU sends again what was not acked, so that more would arrive
        twice after a crash.
        """
        self._forget(self._queue.expire(time.monotonic()))
        entry = self._queue.first()
        if entry is None or entry[0].seq > self.safe + 1:
            return None
        return entry[0]

    def delivered(self, seq: int) -> None:
        """The broker has taken the report `seq`, the first of them."""
        if self._pass(seq):
            self.tally.delivered += 1
        if not len(self._queue):
            self.tally.all_went()
        self.on_change()

    def refuse(self, seq: int) -> None:
        """The broker will never take the report `seq`, the first of them."""
        report = self._pass(seq)
        if report is not None:
            self._forget([(report, REFUSED)])

    def cloud_here(self) -> None:
        """Reports are delivered from now on."""
        self._here = True

    def cloud_away(self) -> None:
        """Reports wait from now on."""
        self._here = False
        self._save()

    def keep_only(self, did: str) -> None:
        """Drop what was to go up as another device than `did`, now and when the disk gives it back."""
        self._did = did
        strangers = [report for report in self._queue.reports() if topics.parse(report.topic)[1] != did]
        for report in strangers:
            self._queue.remove(report.seq)
        self._forget([(report, IDENTITY) for report in strangers])
        self._save()

    # What the last life left.

    def _read(self) -> tuple[list[Report], int]:
        try:
            delivered = self._mark.load()
        except OutboxError as error:
            self.tally.damage(str(error))
            delivered = 0
        return self._file.load(), delivered

    def _take_up(self, found: tuple[list[Report], int]) -> None:
        """Put what was found before what has come since, if the disk let us wait."""
        rows, delivered = found
        since = self._queue.reports()
        for report in since:
            self._queue.remove(report.seq)
        self._loaded = True
        self._delivered = delivered
        self._last = rows[-1] if rows and not since else self._last
        self.newest = max(delivered, rows[-1].seq if rows else 0)
        now = time.monotonic()
        for report in rows:
            if report.seq > delivered:
                self._forget(self._queue.add(report, now - _age(report)))
        self._stale = len(rows) - len(self._queue)
        self._unsaved = {}
        for report in since:
            self.newest += 1
            self._unsaved[self.newest] = report._replace(seq=self.newest)
            self._forget(self._queue.add(self._unsaved[self.newest], now))
        self.safe = self.newest
        if len(self._queue):
            self._log.info("%d reports wait for the cloud since the last run", len(self._queue))
        if self._tell_damage():
            self._unsaved = {report.seq: report for report in self._queue.reports()}
        if self._did is not None:
            self.keep_only(self._did)
        self._save()

    def _is_repeat(self, topic: str, payload: bytes, now: int) -> bool:
        """Whether the MCU sends again what was stored and not acked when the last life ended: only the first can be."""
        last, self._last = self._last, None
        return (
            last is not None and (last.topic, last.payload) == (topic, payload) and 0 <= now - last.stored <= _REPEAT_S
        )

    # To the disk.

    def _save(self) -> None:
        """Write what must be on disk, when the writer is free; what need not be is as safe as it gets."""
        if self._writing is not None:
            return
        if self._trouble or not self._must_save():
            self.safe = self.newest
            return
        self._writing, self._unsaved = self._unsaved, {}
        self._write(self._writing, self._written)

    def _must_save(self) -> bool:
        if self._stale >= _MAX_STALE or len(self._dropped) >= _MAX_STALE:
            return True
        return bool(self._unsaved) and (self._durability == ALWAYS or not self._here or self._is_behind())

    def _is_behind(self) -> bool:
        entry = self._queue.first()
        return len(self._queue) > _BEHIND or (entry is not None and time.monotonic() - entry[1] > _BEHIND_S)

    def _write(self, reports: dict[int, Report], on_done: Callable[[OutboxError | None], None]) -> None:
        dropped, self._dropped = self._dropped, []
        self._stale = 0
        self._writer.write(partial(self._file.change, reports.values(), dropped, self._delivered), on_done)

    def _written(self, error: OutboxError | None) -> None:
        written, self._writing = self._writing or {}, None
        if error is not None:
            self._unsaved = {**written, **self._unsaved}
            self._fail(error)
        elif written:
            self.safe = max(self.safe, *written)
        self._save()
        self.on_change()

    def _fail(self, error: OutboxError) -> None:
        if not self._trouble and time.monotonic() >= self._quiet_until:
            self._log.error("outbox %s; reports are kept in memory until it can be used again", error)
            self._quiet_until = time.monotonic() + _QUIET_S
        self._trouble = str(error)
        self._timer = asyncio.get_running_loop().call_later(self._retry_s, self._retry)

    def _retry(self) -> None:
        found: list[tuple[list[Report], int]] = []
        if self._loaded:
            self._unsaved = {}
            self._dropped = []
            self._stale = 0
            self._writer.write(partial(self._file.rewrite, self._queue.reports()), self._retried)
        else:
            self._writer.write(lambda: found.append(self._read()), lambda error: self._retried(error, found))

    def _retried(self, error: OutboxError | None, found: Iterable[tuple[list[Report], int]] = ()) -> None:
        if error is not None:
            self._fail(error)
            return
        self._trouble = ""
        self._log.info("outbox %s can be used again: nothing was lost", self.path)
        for rows_and_mark in found:
            self._take_up(rows_and_mark)
        self._tell_damage()
        self._save()

    def _tell_damage(self) -> bool:
        lines, self._file.damage = self._file.damage, []
        for line in lines:
            self.tally.damage(line)
        return bool(lines)

    # Out of the queue.

    def _pass(self, seq: int) -> Report | None:
        report = self._queue.remove(seq)
        if report is None:  # dropped meanwhile, or put before the disk was there
            return None
        if self._unsaved.pop(seq, None) is not None or not self._loaded:
            return report  # never written: nothing on disk has to be marked
        self._delivered = seq
        self._mark.save(seq)
        self._stale += 1
        if self._stale >= _MAX_STALE:
            self._save()
        return report

    def _forget(self, dropped: Iterable[tuple[Report, str]]) -> None:
        for report, why in dropped:
            self.tally.drop(why)
            if self._unsaved.pop(report.seq, None) is None:
                self._dropped.append(report.seq)


def _age(report: Report) -> float:
    now = time.time()
    return max(0.0, now - report.stored) if min(now, report.stored) >= _PLAUSIBLE_UTC else 0.0


def _ignore(error: OutboxError | None) -> None:
    """Nobody waits for the last write."""


def _nothing() -> None:
    """Until somebody listens."""
