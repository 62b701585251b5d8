"""What the windows over the main screen share: Escape closes each, `q` those where nothing is typed."""

from textual.binding import Binding

CLOSE = [Binding("escape,q", "dismiss", "Close")]
