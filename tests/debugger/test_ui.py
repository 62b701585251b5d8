"""The full screen, key by key, on a session that is told its story and on one that runs on a real pseudo-terminal."""

import asyncio
import os
import threading
import time
import tty

import pytest
from mcu_debugger.port import open_port
from mcu_debugger.session import Role, Session
from mcu_debugger.sim_commands import COMMANDS
from mcu_debugger.tap import Tap
from mcu_debugger.ui.app import DebuggerApp
from mcu_debugger.ui.attr_table import AttrTable
from mcu_debugger.ui.diff_screen import DiffScreen
from mcu_debugger.ui.editor_screen import EditorScreen, set_line
from mcu_debugger.ui.feed import ROWS_PER_TICK
from mcu_debugger.ui.help_screen import HelpScreen
from mcu_debugger.ui.inspector_screen import InspectorScreen
from mcu_debugger.ui.keys import BINDINGS, KEYS
from mcu_debugger.ui.prompt import Prompt
from mcu_debugger.ui.statistics_screen import StatisticsScreen
from mcu_debugger.view import event_line
from testkit.line_story import LineStory, eventful
from testkit.patience import PATIENCE_S
from testkit.steady_pilot import SteadyPilot
from textual import events
from textual.widgets import DataTable, Input, OptionList

from mcu_proto import const as c
from mcu_proto.frame import encode_frame

SIZE = (150, 42)


class Patient(DebuggerApp):
    """Its notes are there as long as a test may look."""

    NOTIFICATION_TIMEOUT = PATIENCE_S


def on_screen(story, check, size=SIZE):
    """Run `check(app, pilot)` with the story on the screen."""

    async def run():
        app = Patient(story.session)
        async with app.run_test(size=size) as pilot:
            steady = SteadyPilot(pilot)
            await steady.pause()
            await check(app, steady)

    asyncio.run(run())


def cells(table):
    """The texts of a table, row by row."""
    return [[str(cell) for cell in table.get_row_at(i)] for i in range(table.row_count)]


def typed(text):
    names = {" ": "space", ":": "colon", "_": "underscore", "-": "minus", ".": "full_stop", ">": "greater_than_sign"}
    return [names.get(letter, letter) for letter in text]


async def enter(app, pilot, key, text):
    """Open the prompt by its key and enter the text, as if pasted."""
    await pilot.press(key)
    app.query_one(Prompt).value = text
    await pilot.press("enter")


def test_newest_frames_are_followed_and_walking_up_stops_it():
    async def check(app, pilot):
        frames = app.frames()
        assert frames.is_following
        await pilot.press("up", "up")
        assert not frames.is_following
        here = frames.current
        story.report(20, water_in=20)
        app.tick()
        assert frames.current is here
        await pilot.press("end")
        assert frames.is_following
        assert frames.current is app.frame_log.shown[-1]

    story = eventful()
    on_screen(story, check)


def test_request_and_ack_mark_each_other():
    async def check(app, pilot):
        frames = app.frames()
        shown = app.frame_log.shown
        ack = next(i for i, entry in enumerate(shown) if entry.code == "04")
        frames.go_to(ack)
        assert frames._partners == (shown[ack - 1].number,)
        frames.go_to(ack - 1)
        assert frames._partners == (shown[ack].number,)

    on_screen(eventful(), check)


def test_frozen_view_stays_and_counts_what_it_misses():
    async def check(app, pilot):
        await pilot.press("space")
        before = len(app.frame_log)
        story.report(20)
        app.tick()
        assert (len(app.frame_log), app.feed.waiting) == (before, 2)
        await pilot.press("space")
        assert len(app.frame_log) == before + 2

    story = eventful()
    on_screen(story, check)


def test_burst_is_sampled_and_what_is_left_out_is_told():
    async def check(app, pilot):
        for i in range(1000):
            story.say(c.MCU, encode_frame(c.CMD_HEARTBEAT + 1, i & 0xFF), 0.1)
        before = len(app.frame_log)
        app.tick()
        assert len(app.frame_log) == before + ROWS_PER_TICK
        assert app.feed.left_out == 1000 - ROWS_PER_TICK
        assert story.session.observer.counts.frames[c.MCU] >= 1000

    story = eventful()
    on_screen(story, check)


def test_filter_shows_only_what_passes_and_an_empty_one_everything():
    async def check(app, pilot):
        await enter(app, pilot, "f", "cmd:05")
        assert {entry.code for entry in app.frame_log.shown} == {"05"}
        story.report(20)
        app.tick()
        assert {entry.code for entry in app.frame_log.shown} == {"05"}
        await enter(app, pilot, "f", "")
        assert len(app.frame_log.shown) == len(app.frame_log)

    story = eventful()
    on_screen(story, check)


def test_filter_that_means_nothing_changes_nothing_and_says_so():
    async def check(app, pilot):
        await enter(app, pilot, "f", "sn:x")
        await pilot.pause()
        assert len(app.frame_log.shown) == len(app.frame_log)
        assert "sn:x: expected a number" in next(note.message for note in app._notifications)

    on_screen(eventful(), check)


def test_x_shows_errors_and_again_what_was_shown_before():
    async def check(app, pilot):
        await enter(app, pilot, "f", "from:mcu")
        await pilot.press("x")
        assert len(app.frame_log.shown) == 4
        await pilot.press("x")
        assert app.frame_log.filter_text == "from:mcu"

    on_screen(eventful(), check)


def test_search_goes_to_the_newest_hit_and_n_to_the_next():
    async def check(app, pilot):
        await enter(app, pilot, "slash", "target_temp")
        await pilot.pause()
        first = app.frames().cursor
        assert "target_temp" in app.frames().current.plain
        await pilot.press("N")
        assert app.frames().cursor < first
        await pilot.press("n")
        assert app.frames().cursor == first

    on_screen(eventful(), check)


def test_escape_leaves_the_prompt_and_keys_are_keys_again():
    async def check(app, pilot):
        await pilot.press("slash", *typed("q"), "escape")
        await pilot.pause()
        assert not app.query_one(Prompt).has_class("open")
        assert app.frames().has_focus
        await pilot.press("s")
        assert isinstance(app.screen, StatisticsScreen)

    on_screen(eventful(), check)


def test_enter_inspects_the_frame_and_arrows_go_to_its_neighbours():
    async def check(app, pilot):
        shown = app.frame_log.shown
        app.frames().go_to(next(i for i, entry in enumerate(shown) if entry.code == "03"))
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(app.screen, InspectorScreen)
        rows = cells(app.screen.query_one("#bytes", DataTable))
        assert rows[0][:3] == ["0", "ff ff", "header"]
        assert ["", "", "  bit 6", "1  target_temp"] in rows
        await pilot.press("right")
        assert cells(app.screen.query_one("#bytes", DataTable))[2][3] == "P0 to MCU ack"
        assert app.frames().current.code == "04"
        await pilot.press("left", "left")
        assert cells(app.screen.query_one("#bytes", DataTable))[2][3] == "P0 from MCU ack"
        await pilot.press("escape")
        assert app.screen is app.screen_stack[0]

    on_screen(eventful(), check)


def test_inspector_hides_secrets():
    async def check(app, pilot):
        shown = app.frame_log.shown
        app.frames().go_to(next(i for i, entry in enumerate(shown) if entry.code == "02"))
        await pilot.press("enter")
        await pilot.pause()
        text = str(cells(app.screen.query_one("#bytes", DataTable)))
        assert "product secret" in text
        assert "30 31 32 33 34 35 36 37" not in text

    on_screen(eventful(), check)


def test_panel_shows_values_with_units_and_trends_and_alarms():
    async def check(app, pilot):
        story.simulator.set({"target_temp": 20, "fault_sensor": 1}, 0)
        for _ in range(60):
            app.tick()
        rows = {row[1]: row for row in cells(app.query_one(AttrTable))}
        assert rows["target_temp"][2] == "20 °C"
        assert set(rows["target_temp"][3]) == {"▁", "█"}
        assert rows["fault_sensor"][2] == "true"

    story = eventful()
    on_screen(story, check)


def test_listening_role_shows_the_values_that_the_line_told():
    async def check(app, pilot):
        assert app.values()["fault_water_flow"] is True

    story = eventful()
    story.session.role = "tap"
    on_screen(story, check)


def test_panel_gives_way_on_a_narrow_terminal_and_comes_by_key():
    async def check(app, pilot):
        table = app.query_one(AttrTable)
        assert not table.display
        await pilot.press("a")
        assert table.display

    on_screen(eventful(), check, size=(90, 30))


@pytest.mark.parametrize(
    ("name", "keys", "line"),
    [
        ("power", ("up", "enter"), "set power false"),
        ("mode", ("down", "enter"), "set mode auto"),
        ("target_temp", ("up", "up", "enter"), "set target_temp 42.5"),
        ("timer", ("down", "enter"), "set timer 0"),
        ("week_program", ("enter",), "set week_program 00000000000000"),
    ],
)
def test_editor_gives_a_line_that_sets_the_attribute(name, keys, line):
    async def check(app, pilot):
        app.query_one(AttrTable).move_cursor(row=story.schema.attr(name).id)
        await pilot.press("e")
        await pilot.pause()
        assert isinstance(app.screen, EditorScreen)
        await pilot.press(*keys)
        await pilot.pause()
        assert list(story.session._typed) == [line]

    story = eventful()
    on_screen(story, check)


def test_editor_that_is_left_sets_nothing():
    async def check(app, pilot):
        for name in ("power", "timer"):
            app.query_one(AttrTable).move_cursor(row=story.schema.attr(name).id)
            await pilot.press("e")
            await pilot.pause()
            assert app.screen.query(OptionList if name == "power" else Input)
            await pilot.press("escape")
        assert list(story.session._typed) == []

    story = eventful()
    on_screen(story, check)


def test_value_with_a_blank_is_quoted_in_the_line():
    assert set_line("mode", "hot water") == "set mode 'hot water'"


def test_role_that_only_listens_edits_nothing_and_takes_no_lines():
    async def check(app, pilot):
        await pilot.press("e", "colon")
        assert app.screen is app.screen_stack[0]
        assert not app.query_one(Prompt).has_class("open")
        assert len(app._notifications) == 2

    story = eventful()
    story.session.commands = {}
    on_screen(story, check)


def test_typed_line_is_submitted_and_comes_back_with_up():
    async def check(app, pilot):
        await pilot.press("colon", *typed("get power"), "enter")
        await enter(app, pilot, "colon", "attrs")
        await pilot.pause()
        assert list(story.session._typed) == ["get power", "attrs"]
        await pilot.press("colon", "up", "up")
        assert app.query_one(Prompt).value == "get power"
        await pilot.press("down", "down")
        assert app.query_one(Prompt).value == ""

    story = eventful()
    on_screen(story, check)


def test_difference_of_a_marked_state_and_the_frame_under_the_cursor():
    async def check(app, pilot):
        shown = app.frame_log.shown
        reports = [i for i, entry in enumerate(shown) if entry.code == "05"]
        app.frames().go_to(reports[0])
        await pilot.press("m")
        app.frames().go_to(reports[8])
        await pilot.press("d")
        await pilot.pause()
        assert isinstance(app.screen, DiffScreen)
        table = app.screen.query_one(DataTable)
        assert cells(table) == [["fan", "high", "low"], ["target_temp", "41.5", "30"], ["water_in", "30", "34"]]
        await pilot.press("a")
        assert table.row_count == 22

    on_screen(eventful(), check)


def test_difference_without_a_mark_says_what_to_do():
    async def check(app, pilot):
        await pilot.press("d")
        assert app.screen is app.screen_stack[0]
        assert "mark a state first" in next(note.message for note in app._notifications)

    on_screen(eventful(), check)


def test_help_names_every_key_that_is_bound():
    bound = {binding.key_display or binding.key for binding in BINDINGS}
    told = " ".join(keys for keys, _ in KEYS).lower().split()
    names = {"slash": "/", "colon": ":"}
    assert {names.get(key, key).lower() for key in bound} <= set(told)


@pytest.mark.parametrize(("key", "screen"), [("question_mark", HelpScreen), ("s", StatisticsScreen)])
def test_window_opens_and_closes_by_the_same_key_while_frames_go_on(key, screen):
    async def check(app, pilot):
        await pilot.press(key)
        await pilot.pause()
        assert isinstance(app.screen, screen)
        story.report(20)
        app.tick()
        assert app.frame_log.shown[-2].code == "05"
        await pilot.press(key)
        assert app.screen is app.screen_stack[0]

    story = eventful()
    on_screen(story, check)


def test_palette_has_every_line_of_the_role_and_runs_one():
    async def check(app, pilot):
        await pilot.press("ctrl+p")
        await pilot.pause()
        app.screen.query_one(Input).value = "ask for the network time"
        found = app.screen.query_one(OptionList)
        # Before it looked, it shows everything that there is.
        await pilot.until(lambda: [getattr(each, "hit", each).text for each in found.options] == ["time"])
        await pilot.until(lambda: found.highlighted == 0)
        await pilot.press("enter")
        await pilot.until(lambda: list(story.session._typed) == ["time"])

    story = eventful()
    on_screen(story, check)


def test_line_of_the_palette_that_needs_words_is_begun_in_the_prompt():
    async def check(app, pilot):
        app.start_line(COMMANDS["set"].usage)
        await pilot.pause()
        assert app.query_one(Prompt).value == "set "

    on_screen(eventful(), check)


def test_list_stays_bounded_and_follows():
    async def check(app, pilot):
        for i in range(60):
            for j in range(ROWS_PER_TICK):
                story.say(c.MCU, encode_frame(c.CMD_HEARTBEAT + 1, (i * ROWS_PER_TICK + j) & 0xFF), 0.1)
            app.tick()
        assert len(app.frame_log) <= 5000
        assert app.feed.left_out == 0
        assert app.frame_log.forgotten >= 60 * ROWS_PER_TICK - 5000
        assert app.frames().current is app.frame_log.shown[-1]

    story = LineStory()
    on_screen(story, check)


def test_clear_begins_anew():
    async def check(app, pilot):
        await pilot.press("c")
        assert app.frame_log.shown == []
        story.report(1)
        app.tick()
        assert len(app.frame_log.shown) == 2

    story = eventful()
    on_screen(story, check)


def test_app_ends_when_the_session_does():
    async def run():
        over = []
        app = DebuggerApp(eventful().session, is_over=lambda: bool(over))
        async with app.run_test(size=SIZE) as pilot:
            over.append(0)
            await SteadyPilot(pilot).until(lambda: app._exit)

    asyncio.run(run())


def test_nothing_is_drawn_on_a_screen_that_goes():
    """A machine held up just while the widgets go: ticks of the time are due, and there is nothing left to draw on."""

    def hold_up(message):
        if isinstance(message, events.Unmount):
            time.sleep(0.15)

    async def run():
        app = DebuggerApp(eventful().session)
        async with app.run_test(size=SIZE, message_hook=hold_up):
            pass

    asyncio.run(run())


def test_without_a_product_frames_are_shown_in_hex_and_there_is_no_panel():
    async def check(app, pilot):
        assert not app.query_one(AttrTable).display
        await pilot.press("a", "e")
        assert not app.query_one(AttrTable).display
        assert "04 01 02" in app.frame_log.shown[0].summary or "report: 01 02" in app.frame_log.shown[0].summary

    story = LineStory()
    story.session = Session(Role("tap", Tap(), {}, lambda event: ""), "listening", {})
    story.say(c.MCU, encode_frame(c.CMD_P0_UP, 1, b"\x04\x01\x02"), 0)
    on_screen(story, check)


def test_running_session_is_shown_and_obeys_on_a_real_line():
    """The simulator in a thread on a pty; the test is the module."""

    async def run():
        port = open_port("pty", 115200)
        line = os.open(port.name, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(line)
        simulator = LineStory().simulator
        session = Session(Role("sim", simulator, COMMANDS, event_line), "pty", {c.MODULE: port}, simulator.schema)
        thread = threading.Thread(target=session.run)
        thread.start()
        app = Patient(session)
        try:
            async with app.run_test(size=SIZE) as plain_pilot:
                pilot = SteadyPilot(plain_pilot)
                os.write(line, encode_frame(c.CMD_GET_INFO, 0))
                await pilot.until(lambda: any(entry.code == "02" for entry in app.frame_log.shown))
                await enter(app, pilot, "colon", "set fan low")
                await pilot.until(lambda: any("fan low" in entry.summary for entry in app.frame_log.shown))
                await enter(app, pilot, "colon", "set fan fast")
                await pilot.until(lambda: app.frame_log.shown[-1].kind == "error" or len(app._notifications) > 0)
        finally:
            session.stop()
            thread.join(PATIENCE_S)
            os.close(line)
            port.close()

    asyncio.run(run())
