"""Which key does what on the main screen, and how the help says it. The list of frames has keys of its own."""

from textual.binding import Binding, BindingType

BINDINGS: list[BindingType] = [
    Binding("question_mark", "help", "Help", key_display="?"),
    Binding("space", "freeze", "Freeze"),
    Binding("slash", "search", "Search", key_display="/"),
    Binding("f", "filter", "Filter"),
    Binding("x", "errors", "Errors"),
    Binding("e", "edit", "Edit"),
    Binding("m", "mark", "Mark"),
    Binding("d", "diff", "Diff"),
    Binding("s", "statistics", "Stats"),
    Binding("colon", "line", "Line", key_display=":"),
    Binding("q", "quit", "Quit"),
    Binding("ctrl+c", "quit", "Quit", show=False, priority=True),
    Binding("n", "found(1)", "Next found", show=False),
    Binding("N", "found(-1)", "Found before", show=False),
    Binding("a", "attributes", "Attributes", show=False),
    Binding("c", "clear", "Clear", show=False),
]

# As the help tells them.
KEYS = (
    ("?", "this help"),
    ("Space", "freeze the view; the session and its capture go on"),
    ("↑ ↓ PgUp PgDn Home", "walk through the frames; what belongs together is marked"),
    ("End", "follow the newest again"),
    ("Enter", "inspect a frame byte by byte; on an attribute: edit it"),
    ("/  n  N", "search, next, the one before"),
    ("f", "filter; an empty one shows all"),
    ("x", "errors only, and back"),
    ("Tab", "from frames to attributes and back"),
    ("e", "edit the attribute under the cursor"),
    ("m  d", "mark a state; differences from it to the frame under the cursor, or to now"),
    ("s", "statistics"),
    ("a", "panel of attributes on or off"),
    ("c", "clear the list"),
    (":", "type a line of the role, such as set power on"),
    ("Ctrl+P", "command palette: everything by name"),
    ("q  Ctrl+C", "quit"),
)
FILTERS = (
    ("report target_temp", "rows that hold both texts"),
    ("-heartbeat", "rows that do not hold it"),
    ("cmd:05,06", "these commands, hex"),
    ("from:mcu", "by sender: mcu, module, line"),
    ("sn:17  rtt>50  error", "by sn; slower than 50 ms; bad frames, repetitions, missing acks"),
)
