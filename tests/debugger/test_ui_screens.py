"""How each screen looks, compared with the picture that was looked at and kept beside this test.

After a wanted change: `pytest tests/debugger/test_ui_screens.py --snapshot-update`, and look at the pictures.
"""

import pytest
from mcu_debugger.ui.app import DebuggerApp
from mcu_debugger.ui.attr_table import AttrTable
from mcu_debugger.ui.diff_screen import DiffScreen
from mcu_debugger.ui.inspector_screen import InspectorScreen
from testkit.line_story import eventful

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
    app.query_one("#prompt").cursor_blink = False


SCREENS = (main, walked, inspector, editor, diff, statistics, help, filtered, prompt)


class Still(DebuggerApp):
    """The screen without its clock: nothing moves between two pictures."""

    def __init__(self):
        super().__init__(eventful().session, clock=lambda: 100.0, cpu_clock=lambda: 1.0)

    def set_interval(self, *args, **options):
        return None


@pytest.mark.parametrize("show", SCREENS, ids=[show.__name__ for show in SCREENS])
def test_screen_looks_as_it_did(snap_compare, show):
    async def before(pilot):
        show(pilot.app)
        await pilot.pause()
        pilot.app._draw_panels()
        await pilot.pause()

    assert snap_compare(Still(), terminal_size=SIZE, run_before=before)
