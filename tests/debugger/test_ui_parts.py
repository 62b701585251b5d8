"""The pure parts of the full screen: rows, filter, the list that is kept, history, rates."""

import pytest
from mcu_debugger.backlog import Answered, Shown, Told
from mcu_debugger.observer import Counts
from mcu_debugger.ui.entry import STYLES, EntryMaker
from mcu_debugger.ui.entry_filter import FilterError, parse_filter
from mcu_debugger.ui.frame_list import row_text
from mcu_debugger.ui.frame_log import FrameLog
from mcu_debugger.ui.history import SAMPLES, History, sparkline
from mcu_debugger.ui.rates import Rates
from testkit.line_story import DEFINITION, LineStory, eventful

from mcu_proto import const as c
from mcu_proto.datapoint import Schema
from mcu_proto.frame import encode_frame

SCHEMA = Schema.from_definition(DEFINITION)


def entries_of(story):
    maker = EntryMaker(story.schema, story.session.units)
    return [entry for event in story.session.backlog.since(0, 1000)[0] for entry in maker.rows(event)]


ENTRIES = entries_of(eventful())


def only(text):
    test = parse_filter(text)
    return [entry for entry in ENTRIES if test(entry)]


def test_report_shows_what_changed_with_its_unit_and_counts_the_rest():
    reports = only("cmd:05")
    assert reports[1].summary == "report  water_in 30.5  (21 as before)"
    assert "target_temp 30 °C" in only("water_in 34")[0].summary


def test_first_report_shows_everything():
    assert all(attr.name in only("cmd:05")[0].summary for attr in SCHEMA.attrs)


def test_report_without_a_change_says_so():
    story = LineStory()
    story.report(0)
    story.report(1)
    assert entries_of(story)[2].summary == "report  as before"


def test_control_shows_what_it_flags():
    assert only("cmd:03")[0].summary == "control  fan low  target_temp 30 °C"
    story = LineStory()
    story.ask(c.MODULE, c.CMD_P0_DOWN, 0, story.schema.encode_control({}))
    assert entries_of(story)[0].summary == "control  nothing is flagged"


def test_ack_shows_its_round_trip_and_a_repetition_its_first_sending():
    assert only("cmd:04")[0].relation == "1.2 ms"
    again = only("again")[0]
    assert (again.kind, again.relation) == ("again", "again #%d" % only("cmd:05 sn:9")[0].event.number)


@pytest.mark.parametrize(
    ("text", "kind"),
    [("bad frame", "error"), ("noise", "noise"), ("cmd:12", "error"), ("cmd:07 sn:3 -bad", "heartbeat")],
)
def test_what_went_wrong_stands_out(text, kind):
    assert only(text)[0].kind == kind


def test_missing_ack_has_a_row_of_its_own():
    story = LineStory()
    story.say(c.MCU, encode_frame(c.CMD_CONFIG_MODE, 4, b"\x01"), 0)
    for observed in story.session.observer.handle_timeout(20_000_000):
        story.session.backlog.append(observed)
    entry = entries_of(story)[1]
    assert (entry.kind, entry.name) == ("error", "NO ACK of enter network configuration")


def test_words_of_the_role_and_answers_are_rows_too():
    maker = EntryMaker(None, {})
    assert maker.rows(Told(1, "the line is back"))[0].kind == "told"
    assert maker.rows(Answered(1, "power true"))[0].kind == "answer"
    assert maker.rows(Answered(1, "? unknown command x"))[0].kind == "error"
    table = maker.rows(Shown(1, ("name", "value"), [("a", "1"), ("b", "2")]))
    assert [entry.summary for entry in table] == ["name  value", "a     1", "b     2"]


def test_every_kind_has_a_style():
    assert {entry.kind for entry in ENTRIES} <= set(STYLES)


def test_secrets_are_in_no_row():
    text = "\n".join(entry.plain + row_text(entry, 500).plain for entry in ENTRIES)
    assert "0123456789abcdef" not in text
    assert "30 31 32 33 34 35" not in text


def test_row_fits_its_width_and_keeps_the_round_trip():
    for entry in ENTRIES:
        for width in (80, 100, 150):
            assert row_text(entry, width).cell_len <= width
    assert row_text(only("cmd:04")[0], 90).plain.endswith("1.2 ms")


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", len(ENTRIES)),
        ("from:mcu cmd:05", 11),
        ("cmd:05,5 again", 1),
        ("REPORT Water_In", 10),
        ("-from:mcu -from:module", 2),
        ("cmd:05 -cmd:05", 0),
        ("sn:3 cmd:07,08", 3),
        ("rtt>5", 3),
        ("rtt<1", 1),
    ],
)
def test_filter_wants_rows_in_which_every_word_holds(text, count):
    assert len(only(text)) == count


def test_error_filter_finds_everything_that_went_wrong():
    assert [entry.code for entry in only("error")] == ["07", "12", "--", "05"]


@pytest.mark.parametrize("text", ["cmd:xyz", "from:app", "sn:x", "rtt", "rtt>", "-cmd:"])
def test_filter_word_that_means_nothing_is_refused(text):
    with pytest.raises(FilterError, match="expected"):
        parse_filter(text)


def test_log_is_bounded_and_tells_how_much_it_forgot():
    log = FrameLog(100)
    maker = EntryMaker(None, {})
    gone = 0
    for i in range(2000):
        gone += log.add(maker.rows(Told(i, "row %d" % i)))
        assert len(log) <= 100
    assert log.shown[-1].summary == "row 1999"
    assert gone == log.forgotten == 2000 - len(log)
    assert log.shown[0].number == gone + 1


def test_filter_of_the_log_holds_for_old_and_new_rows_and_tells_what_went_from_the_top():
    log = FrameLog(100)
    maker = EntryMaker(None, {})
    log.add([maker.rows(Told(i, "row%d" % i))[0] for i in range(90)])
    log.filter("row8")
    assert len(log.shown) == 11
    gone = log.add([maker.rows(Told(i, "row%d" % i))[0] for i in range(90, 120)])
    assert log.shown[0].number > log.forgotten
    assert gone == 11 - len(log.shown)
    with pytest.raises(FilterError):
        log.filter("sn:x")
    assert log.filter_text == "row8"


def test_search_goes_round_in_either_direction():
    log = FrameLog()
    maker = EntryMaker(None, {})
    log.add([maker.rows(Told(i, text))[0] for i, text in enumerate(("a1", "b", "A2", "b"))])
    assert log.find("a", 3, 1) == 0
    assert log.find("a", 1, 1) == 2
    assert log.find("a", 1, -1) == 0
    assert log.find("zzz", 0, 1) is None
    assert FrameLog().find("a", 0, 1) is None


def test_state_at_a_row_is_that_of_the_newest_report_before_it():
    log = FrameLog()
    log.add(ENTRIES)
    control = only("cmd:03")[0]
    assert log.state_at(control)["target_temp"] == 41.5
    assert log.state_at(ENTRIES[-1])["fault_water_flow"] is True
    assert log.state_at(ENTRIES[0]) == {}


def test_sparkline_stands_between_the_least_and_the_greatest():
    water, power, mode = SCHEMA.attr("water_in"), SCHEMA.attr("power"), SCHEMA.attr("mode")
    assert sparkline(water, [20, 21, 22, 27], 10) == "▁▂▃█"
    assert sparkline(water, [20, 20], 10) == "▁▁"
    assert sparkline(water, list(range(100)), 8) == "▁▂▃▄▅▆▇█"
    assert sparkline(power, [True, False, True], 10) == "█▁█"
    assert sparkline(mode, ["heat", "defrost", "cool"], 10) == "▁█▃"
    assert sparkline(mode, ["heat", 7], 10) == "▁█"
    assert sparkline(mode, ["heat", "boiling"], 10) == ""
    assert sparkline(SCHEMA.attr("week_program"), [b"1"], 10) == ""
    assert sparkline(water, [], 10) == ""


def test_history_is_bounded():
    history = History()
    for i in range(3 * SAMPLES):
        history.sample({"a": i})
    assert history.samples("a") == list(range(2 * SAMPLES, 3 * SAMPLES))
    assert history.samples("b") == []


def test_rates_are_differences_over_time():
    times = iter((10.0, 12.0, 12.0))
    cpu = iter((1.0, 1.5, 1.5))
    rates = Rates(lambda: next(times), lambda: next(cpu))
    counts = Counts()
    rates.tick(counts, 0)
    assert rates.frames == 0
    counts.frames = [10, 30]
    counts.bytes = [100, 300]
    rates.tick(counts, 20)
    assert (rates.frames, rates.bytes, rates.rows, rates.cpu) == (20, 200, 10, 0.25)
    rates.tick(counts, 20)
    assert rates.frames == 20
