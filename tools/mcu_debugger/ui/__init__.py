"""The full screen of `mcu-debugger`: live frames, attributes, inspector, editor, statistics. Built on textual.

    session (its own thread) ── backlog, observer ──▶ app, ten times a second ──▶ entries ──▶ widgets
                             ◀────────── submit(line) ──────────┘

Pure: `entry` (an event as a row), `entry_filter` (which rows are wanted), `feed` and `frame_log` (the rows that are
kept), `history` (values over time), `rates`. The rest are widgets and windows. What is shown is bounded; at bursts rows
are left out of the view, never of a capture, and their number is told.
"""

import threading

from ..session import Session


def run_ui(session: Session) -> int:
    """Run the session in a thread and show it until one of both ends; the exit code, or what the session raised."""
    # Loaded here: a pipe never pays for it.
    from .app import DebuggerApp

    outcome: list = []

    def work() -> None:
        try:
            outcome.append(session.run())
        except BaseException as e:
            outcome.append(e)

    thread = threading.Thread(target=work, name="session", daemon=True)
    app = DebuggerApp(session, is_over=lambda: bool(outcome))
    thread.start()
    try:
        app.run()
    finally:
        session.stop()
        thread.join(5)
    if outcome and isinstance(outcome[0], BaseException):
        raise outcome[0]
    return int(outcome[0]) if outcome else 0
