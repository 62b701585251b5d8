"""How the screen is laid out, in textual's CSS."""

CSS = """
#head { height: 1; text-wrap: nowrap; text-overflow: ellipsis; background: $primary-background; color: $text; }
#state { height: 1; text-wrap: nowrap; text-overflow: ellipsis; background: $surface; color: $text-muted; }
#main { height: 1fr; }
FrameList { width: 1fr; height: 1fr; overflow-x: hidden; overflow-y: scroll; scrollbar-size-vertical: 1; }
FrameList:focus { background: $surface; }
AttrTable { width: 54; height: 1fr; border-left: solid $primary; scrollbar-size-vertical: 1; }
AttrTable:focus { border-left: solid $accent; }
#prompt { display: none; height: 3; border: round $accent; }
#prompt.open { display: block; }
ModalScreen { align: center middle; background: $background 60%; }
.window { width: 92%; max-width: 130; height: 90%; border: round $accent; background: $surface; padding: 0 1; }
.window DataTable { height: 1fr; }
.small OptionList { border: none; padding: 0; margin: 1 0; max-height: 16; }
.small { width: 64; height: auto; max-height: 80%; padding: 1 2; }
.title { text-style: bold; color: $accent; margin: 1 0 0 0; }
.hint { color: $text-muted; height: 1; }
#inspected { height: auto; max-height: 4; margin: 1 0; }
"""
