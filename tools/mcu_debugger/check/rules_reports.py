"""Rules of what the MCU sends by itself: repetition, sn, intervals. Serial manual, chapters 1.5 and 5.3."""

from itertools import pairwise

from mcu_proto import const as c
from mcu_proto.datapoint import WRITABLE
from mcu_proto.frame import Frame

from .attributes import control, decode, other_value, read_values, schema_of, writable
from .bench import Bench, Heard, is_bad
from .rule import ACTIVE, PASSIVE, SLOW, Rule
from .rules_p0 import dev_status_wrong
from .verdict import Broken, NotSeen

# The oldest MCU code repeats after 3 s, all else after 200 ms and more.
_REPEAT_WITHIN = 3500
_REPEAT_NOT_BEFORE = 150
# Three in all code; the newest text has it "sent again up to three times".
_MOST_SENDS = 4
_CHANGE_INTERVAL = 6_000
_REPORT_INTERVAL = 600_000
# Clocks of MCUs are not better, and lines take time.
_SLACK = 500
_DUPLICATE_WINDOW = c.DUPLICATE_WINDOW


def _repeated(bench: Bench) -> str:
    attr = writable(bench)[0]
    before = read_values(bench)[attr.name]
    bench.listen(1000)
    mark = bench.mark()
    bench.mute.add(c.CMD_P0_UP)
    try:
        control(bench, {attr.name: other_value(attr, before)})
        sends = _sends(bench, mark)
    finally:
        bench.mute.discard(c.CMD_P0_UP)
    control(bench, {attr.name: before})
    bench.listen(1000)
    gaps = [b.at - a.at for a, b in pairwise(sends)]
    words = "%d sends, %s ms apart" % (len(sends), ", ".join(map(str, gaps)) or "-")
    if not 2 <= len(sends) <= _MOST_SENDS:
        raise Broken("a report without an ack was sent %d times, expected 3" % len(sends))
    if min(gaps) < _REPEAT_NOT_BEFORE:
        raise Broken("%s, expected at least %d" % (words, _REPEAT_NOT_BEFORE))
    return words


def _sends(bench: Bench, mark: int) -> list[Heard]:
    """Every sending of the report that comes first after `mark`, which nobody acks."""
    first = bench.wait(lambda heard: _is_report(heard), 1000, mark)
    if first is None:
        raise Broken("no report came after a control")
    count = 0
    while True:
        found = [each for each in bench.frames(mark, c.CMD_P0_UP) if each.item.sn == first.item.sn]
        if len(found) == count:
            break
        count = len(found)
        bench.wait(lambda heard: _is_report(heard), _REPEAT_WITHIN, bench.mark())
        if count > _MOST_SENDS:
            break
    others = [each for each in found if each.item != first.item]
    if others:
        raise Broken("a report was repeated with other bytes: %s" % others[0].wire.hex(" "))
    between = [e for e in bench.frames(mark) if e.item.cmd & 1 and first.at < e.at < found[-1].at]
    strange = [each for each in between if each.item.sn != first.item.sn]
    if strange:
        raise Broken("%02x came while a report waited for its ack" % strange[0].item.cmd)
    return found


def _is_report(heard: Heard) -> bool:
    return isinstance(heard.item, Frame) and heard.item.cmd == c.CMD_P0_UP


def _sn_counts(bench: Bench) -> str:
    count = 0
    last = None
    for heard in bench.heard:
        frame = heard.item
        if is_bad(heard):
            # It may have been a request.
            last = None
        elif frame.cmd & 1 and frame != last:
            count += 1
            # 0: it has restarted.
            if last is not None and frame.sn not in ((last.sn + 1) & 0xFF, 0):
                wanted = (last.sn + 1) & 0xFF
                raise Broken("a request with sn %d follows one with sn %d, expected %d" % (frame.sn, last.sn, wanted))
            last = frame
    if count < 2:
        raise NotSeen("fewer than two requests came from the MCU")
    return "%d requests" % count


def _acked_is_done(bench: Bench) -> str:
    """Needs `repeated` to have muted: there repetition is right."""
    seen: dict[tuple, list[int]] = {}
    for each in bench.frames(0, c.CMD_P0_UP):
        seen.setdefault((each.item.sn, each.item.payload), []).append(each.at)
    if not seen:
        raise NotSeen("no report came")
    again = [key for key, times in seen.items() if len([t for t in times if t - times[0] < _DUPLICATE_WINDOW]) > 1]
    # One report was left without an ack on purpose.
    if len(again) > 1:
        raise Broken("%d of %d reports were sent again although they were acked" % (len(again), len(seen)))
    return "%d reports" % len(seen)


def _reports_whole(bench: Bench) -> str:
    reports = [frame for _, frame in _requests(bench) if _is_state(frame)]
    if not reports:
        raise NotSeen("no report came")
    for frame in reports:
        decode(bench, frame.payload)
        wrong = dev_status_wrong(bench, frame.payload)
        if wrong:
            raise Broken(wrong)
    return "%d reports" % len(reports)


def _measured_seldom(bench: Bench) -> str:
    names = {attr.name for attr in schema_of(bench).attrs if attr.access == WRITABLE}
    reports = [(at, decode(bench, frame.payload)) for at, frame in _requests(bench) if _is_state(frame)]
    own = 0
    last_change = None
    for (_, before), (at, after) in pairwise(reports):
        changed = {name for name in after if name in before and after[name] != before[name]}
        if changed and not changed & names:
            own += 1
            if last_change is not None and at - last_change < _CHANGE_INTERVAL - _SLACK:
                what = ", ".join(sorted(changed)[:3])
                raise Broken("%s reported %d ms after the change before, expected 6000" % (what, at - last_change))
        if changed:
            last_change = at
    if not own:
        raise NotSeen("no report was caused by what the MCU measures")
    return "%d reports" % own


def _full_report(bench: Bench) -> str:
    schema_of(bench)
    mark = bench.mark()
    begin = bench.now()
    found = bench.wait(lambda heard: _is_report(heard) and _is_state(heard.item), _REPORT_INTERVAL + 20 * _SLACK, mark)
    if found is None:
        raise Broken("no report within %d s" % ((bench.now() - begin) // 1000))
    return "after %d s" % ((found.at - begin) // 1000)


def _requests(bench: Bench) -> list[tuple[int, Frame]]:
    """(time, frame) of every request of the MCU, repetitions left out."""
    out: list[tuple[int, Frame]] = []
    for each in bench.frames(0):
        frame = each.item
        if frame.cmd & 1 and not (out and out[-1][1] == frame):
            out.append((each.at, frame))
    return out


def _is_state(frame: Frame) -> bool:
    return frame.cmd == c.CMD_P0_UP and frame.payload[:1] in (b"\x04", b"\x14")


REPORT_RULES = (
    Rule("report-repeated", "1.5", "a report without an ack is sent three times, the same bytes", ACTIVE, _repeated),
    Rule("full-report", "5.3", "everything is reported every 10 minutes", SLOW, _full_report),
    Rule("request-sn", "1.5", "each new request has the next sn", PASSIVE, _sn_counts),
    Rule("acked-is-done", "1.5", "a report that was acked is not sent again", PASSIVE, _acked_is_done),
    Rule("reports-whole", "5.3", "every report holds the whole dev_status", PASSIVE, _reports_whole),
    Rule("measured-seldom", "5.3", "what is measured is reported every 6 s at most", PASSIVE, _measured_seldom),
)
