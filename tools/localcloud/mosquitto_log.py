"""Who comes and goes, read from mosquitto's log. Cloud manual, device side, chapter 4.8.

The log is the only place where mosquitto says how long a keep-alive is, where a client is and why it went. A client
that is refused appears under no name or with "not authorised": it never was a session. A name in a line is believed
only when it is a device's that could log in, so the caller asks for that.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from localcloud.broker import MQTT_DISCONNECT, NO_HEARTBEAT, TCP_CLOSED


class Connected(NamedTuple):
    did: str  # the client id: a device's did, or what an app calls itself
    ip: str
    keepalive_s: int
    username: str = ""


class Subscribed(NamedTuple):
    did: str
    topic_filter: str


class Disconnected(NamedTuple):
    did: str
    reason: str  # "" when the cloud itself ended the session, and knows why


class Published(NamedTuple):
    did: str
    topic: str
    size: int


Event = Connected | Subscribed | Disconnected | Published

_CONNECTED = re.compile(r"New client connected from (.+):\d+ as (\S+) \(p\d+, c\d, k(\d+)(?:, u'(.*)')?\)\.")
_ENDED = re.compile(r"Client (\S+)(?: \[[^]]*\])? (.+)")
# Of thousands of lines of this kind only those of the topics without a did are looked at.
_PUBLISHED = re.compile(
    r"Received PUBLISH from (\S+) \(d\d, q\d, r\d, m\d+, '(cli2ser(?:_req)?)', \.\.\. \((\d+) bytes\)\)"
)
_SUBSCRIBED = re.compile(r"(\S+) [0-2] (\S+)")

# How the rest of an "ended" line begins -> reason; the first that fits. None: it was no session of that client.
_ENDINGS = (
    ("disconnected, not authorised", None),
    ("already connected", None),
    ("been disconnected by administrative action", ""),
    ("disconnected.", MQTT_DISCONNECT),
    ("closed its connection", TCP_CLOSED),
    ("has exceeded timeout", NO_HEARTBEAT),
    ("disconnected", TCP_CLOSED),
)


_CHATTER = ("Received ", "Sending ", "Denied ")


def parse_line(line: str) -> Event | None:
    """What a line of the log tells about a client, None when that is nothing."""
    if line.startswith(_CHATTER):
        published = _PUBLISHED.fullmatch(line)
        return Published(published[1], published[2], int(published[3])) if published else None
    connected = _CONNECTED.fullmatch(line)
    if connected:
        return Connected(connected[2], connected[1], int(connected[3]), connected[4] or "")
    ended = _ENDED.fullmatch(line)
    if ended:
        for beginning, reason in _ENDINGS:
            if ended[2].startswith(beginning):
                return None if reason is None else Disconnected(ended[1], reason)
        return None
    subscribed = _SUBSCRIBED.fullmatch(line)
    return Subscribed(subscribed[1], subscribed[2]) if subscribed else None
