"""How each screen looks, compared with the picture that was looked at and kept beside this test.

After a wanted change: `pytest tests/debugger/test_ui_screens.py --snapshot-update`, look at the pictures, and copy them
to `tools/mcu_debugger/screens/`.
"""

from pathlib import Path

import pytest
from mcu_debugger.ui.app import DebuggerApp
from mcu_debugger.ui.attr_table import AttrTable
from mcu_debugger.ui.diff_screen import DiffScreen
from mcu_debugger.ui.inspector_screen import InspectorScreen
from testkit.line_story import eventful
from testkit.repository import ROOT
from testkit.steady_pilot import SteadyPilot
from textual.widgets import Input

SIZE = (132, 38)


def row(app, code):
    """The first shown row of a command."""
    return next(i for i, entry in enumerate(app.frame_log.shown) if entry.code == code)


def main(app):
    """As it stands after the story."""


def walked(app):
    app.frames().go_to(row(app, "04"))


def inspector(app):
    app.push_screen(InspectorScreen(app.frame_log.shown[row(app, "03")]))


def editor(app):
    app.query_one(AttrTable).move_cursor(row=4)
    app.action_edit()


def diff(app):
    log = app.frame_log
    before, after = log.state_at(log.shown[row(app, "03")]), log.state_at(log.shown[-1])
    app.push_screen(DiffScreen(("at 0.503 s", before), ("at 8.552 s", after)))


def statistics(app):
    app.action_statistics()


def help(app):
    app.action_help()


def filtered(app):
    app._filter("from:mcu -ack")
    app.frames().search = "target_temp"


def prompt(app):
    app.action_line()


def palette(app):
    app.action_command_palette()


# The pictures of the README.
PICTURES = ROOT / "tools" / "mcu_debugger" / "screens"
KEPT = Path(__file__).parent / "__snapshots__" / "test_ui_screens"
SCREENS = (main, walked, inspector, editor, diff, statistics, help, filtered, prompt, palette)


class Still(DebuggerApp):
    """The screen without its clock: nothing moves between two pictures."""

    def __init__(self):
        super().__init__(eventful().session, clock=lambda: 100.0, cpu_clock=lambda: 1.0)

    def set_interval(self, *args, **options):
        return None


@pytest.mark.parametrize("show", SCREENS, ids=[show.__name__ for show in SCREENS])
def test_screen_looks_as_it_did(snap_compare, show):
    async def before(plain_pilot):
        pilot = SteadyPilot(plain_pilot)
        for i in range(12):
            water = 30 + i % 4 + i / 3
            pilot.app.history.sample({**pilot.app.values(), "water_in": water, "water_out": water + 4, "pump": i > 7})
        show(pilot.app)
        await pilot.pause()
        for field in pilot.app.screen.query(Input):
            field.cursor_blink = False
        # The palette finds its entries in the background.
        await pilot.app.workers.wait_for_complete()
        await pilot.pause()
        pilot.app._draw_panels()
        await pilot.pause()

    assert snap_compare(Still(), terminal_size=SIZE, run_before=before)


@pytest.mark.parametrize("name", [show.__name__ for show in SCREENS])
def test_picture_of_the_readme_shows_the_screen_as_it_is(name):
    kept = KEPT / ("test_screen_looks_as_it_did[%s].svg" % name)
    assert (PICTURES / (name + ".svg")).read_text() == kept.read_text(), "copy %s there" % kept.name
    assert "screens/%s.svg" % name in (PICTURES.parent / "README.md").read_text()
