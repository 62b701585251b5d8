"""The home broker bridge of one port: datapoints as JSON and as Home Assistant entities, beside the cloud or instead.

    gagent/<name>/state            all attributes and "timestamp", retained, with every report
    gagent/<name>/set              {"attribute": value}, taken as a whole or refused
    gagent/<name>/error            each refusal
    gagent/<name>/event            each change of an alert or a fault; waits while the broker is away
    gagent/<name>/availability     online or offline, retained: this process lives and its MCU answers
    gagent/<name>/raw, raw/set     P0 in hex: both ways without a definition; what none explains with one

Survives: a broker that is away, slow or restarted (the newest state is what counts, and the newest events), Home
Assistant restarted, an MCU that changes its product, reports that do not fit the definition, sets of any content.
"""

import asyncio
import collections
import time
from collections.abc import Callable
from typing import NamedTuple

from gagent import effects as e
from mcu_proto.errors import RemoteError
from mcu_proto.names import FAIL_NAMES

from . import ha_discovery, home_message
from .announcements import Announcements
from .announcer import Announcer
from .definition_fetch import DefinitionFetch
from .definition_store import Definition
from .home_broker import HomeBroker
from .home_message import Refusal, Values
from .log import PortLog
from .settings import BridgeSettings

# More may wait for a slow broker only as a newer state.
_MAX_UNSENT = 8
# Changes of alerts and faults while the broker is away: an appliance has a few a day.
MAX_EVENTS = 100
# The longest P0 in hex.
_MAX_RAW = 2 * 900

_ONLINE = b"online"
_OFFLINE = b"offline"
_EVENTFUL = ("alert", "fault")


class Module(NamedTuple):
    """What the bridge may ask of the port's agent."""

    control: Callable[[bytes], None]
    local_online: Callable[[bool], None]
    snapshot: Callable[[], dict]


class Bridge:
    """The bridge of the port `name`; `definition` is the one that its settings name, otherwise `fetch` finds it."""

    def __init__(
        self,
        settings: BridgeSettings,
        name: str,
        definition: Definition | None,
        announcements: Announcements,
        log: PortLog,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._given = definition
        self._log = log
        self._clock = clock
        base = "%s/%s/" % (settings.topic, name)
        self._availability = base + "availability"
        self._raw = base + "raw"
        self._error = base + "error"
        self._event = base + "event"
        self._topics = ha_discovery.Topics(base + "state", base + "set", self._availability)
        self._announcer = Announcer(settings.discovery, name, self._topics, announcements, self._publish, log)
        self._hears = {self._topics.set: self._on_set, self._raw + "/set": self._on_raw_set}
        if settings.discovery:
            self._hears[settings.discovery + "/status"] = self._on_ha_status
        self._broker = HomeBroker(settings, self._ready, self._lost, self._on_message, self._idle, log)
        self.fetch: DefinitionFetch | None = None
        self._module: Module | None = None
        self._has_mcu = False
        self._product_key = ""
        self._definition: Definition | None = None
        self._values: Values = {}
        self._reported_at = 0.0
        self._state_waits = False
        self._events: collections.deque[bytes] = collections.deque()
        self._event_under_way: bytes | None = None

    def start(self, module: Module) -> None:
        """Go to the broker, in the running loop."""
        self._module = module
        mac = module.snapshot()["mac"]
        self._broker.start("gagent-" + mac, tuple(self._hears), self._availability, _OFFLINE)

    def stop(self) -> None:
        """Say that the port is off line, and leave."""
        self._flush()
        self._publish(self._availability, _OFFLINE)
        if self.fetch is not None:
            self.fetch.close()
        self._broker.stop()

    def reported(self, effect: e.Reported) -> None:
        """The MCU's P0: told to the broker when the effects that follow are performed."""
        try:
            if self._definition is None or not self._definition.schema.attrs:
                raise RemoteError("nothing says what is in it")
            values = self._definition.schema.decode(effect.p0)
        except RemoteError:
            self._broker.publish(self._raw, bytes(effect.p0).hex().encode())
            return
        self._reported_at = self._clock()
        self._note_events(values)
        self._values |= values
        if not self._state_waits:
            self._state_waits = True
            asyncio.get_running_loop().call_soon(self._flush)

    def notice(self, notice: e.Notice) -> None:
        """What the agent says of itself."""
        if notice.code in self._NOTICES:
            self._NOTICES[notice.code](self, notice.detail)

    # The module's side.

    def _mcu_ready(self, product_key: str) -> None:
        self._has_mcu = True
        if product_key != self._product_key:
            self._product_key = product_key
            self._definition = None
            self._values = {}
        if self._definition is not None:
            self.use(product_key, self._definition)
        elif self._given is not None:
            self._use_given(self._given)
        elif self.fetch is not None:
            self._announce()
            self.fetch.want(product_key)

    def _use_given(self, given: Definition) -> None:
        theirs = given.schema.product_key
        if theirs and theirs != self._product_key:
            self._log.error(
                "`product` names the definition of product key %.40s, but the MCU says %.40s: only raw P0 is bridged",
                theirs,
                self._product_key,
            )
            self._announce()
            return
        self.use(self._product_key, given)

    def use(self, product_key: str, definition: Definition) -> None:
        if product_key != self._product_key:
            return
        self._definition = definition
        self._announce()
        if self._module is not None and definition.schema.attrs:
            self._module.control(definition.schema.encode_read())

    def _mcu_lost(self, why: str) -> None:
        self._has_mcu = False
        self._publish(self._availability, _OFFLINE)

    def _control_failed(self, reason: int) -> None:
        why = "the MCU did not take a control: %s" % FAIL_NAMES.get(reason, reason)
        self._refuse([Refusal(None, None, why)])

    _NOTICES: dict[int, Callable] = {
        e.NOTICE_MCU_READY: _mcu_ready,
        e.NOTICE_MCU_LOST: _mcu_lost,
        e.NOTICE_CONTROL_FAILED: _control_failed,
    }

    def _note_events(self, values: Values) -> None:
        for attr in self._definition.schema.attrs if self._definition else ():
            if attr.access not in _EVENTFUL or attr.name not in values:
                continue
            value = values[attr.name]
            # One that is there from the start is told as well: it may have come while nobody watched.
            if value != self._values.get(attr.name, False):
                self._events.append(home_message.build_event(attr.name, value, self._reported_at))
        while len(self._events) > MAX_EVENTS:
            self._events.popleft()

    # The broker's side.

    def _ready(self) -> None:
        self._announce()
        self._flush()
        if self._module is not None:
            self._module.local_online(True)

    def _lost(self) -> None:
        if self._event_under_way is not None:
            self._events.appendleft(self._event_under_way)
            self._event_under_way = None
        if self._module is not None:
            self._module.local_online(False)

    def _idle(self) -> None:
        self._event_under_way = None
        self._flush()

    def _flush(self) -> None:
        """Publish what waits, as far as the broker takes it."""
        if not self._broker.is_ready:
            return
        if self._state_waits and self._broker.unsent() < _MAX_UNSENT:
            self._state_waits = False
            self._publish_state()
        if self._events and self._event_under_way is None:
            self._event_under_way = self._events.popleft()
            self._broker.publish(self._event, self._event_under_way, qos=1)

    def _publish_state(self) -> None:
        if self._values:
            self._publish(self._topics.state, home_message.build_state(self._values, self._reported_at))

    def _publish(self, topic: str, payload: bytes) -> None:
        self._broker.publish(topic, payload, retain=True)

    def _announce(self) -> None:
        """Tell Home Assistant, and everybody else, who is there; take away what was told before and is no longer so."""
        if not self._broker.is_ready or self._module is None:
            return
        if self._definition is not None and self._definition.schema.attrs:
            self._announcer.announce(self._product_key, self._definition, self._module.snapshot())
        elif self._product_key:
            self._announcer.forget_other(self._product_key)
        self._publish_state()
        self._publish(self._availability, _ONLINE if self._has_mcu else _OFFLINE)

    # What the broker says.

    def _on_message(self, topic: str, payload: bytes) -> None:
        self._log.message(topic, payload)
        hear = self._hears.get(topic)
        if hear is not None:
            hear(payload)

    def _on_set(self, payload: bytes) -> None:
        if self._definition is None or not self._definition.schema.attrs:
            self._refuse([Refusal(None, _text(payload), "no definition says what this product has: use raw/set")])
            return
        p0, refusals = home_message.parse_set(self._definition.schema, payload)
        self._control(p0, payload, refusals)

    def _on_raw_set(self, payload: bytes) -> None:
        if self._definition is not None and self._definition.schema.attrs:
            self._refuse([Refusal(None, _text(payload), "this product has a definition: use set")])
            return
        try:
            p0 = bytes.fromhex(payload.decode("ascii")) if len(payload) <= _MAX_RAW else b""
        except ValueError:
            p0 = b""
        wrong = [] if p0 else [Refusal(None, _text(payload), "expected P0 in hex, 1 to %d bytes" % (_MAX_RAW // 2))]
        self._control(p0, payload, wrong)

    def _control(self, p0: bytes, payload: bytes, refusals: list[Refusal]) -> None:
        if not refusals and not self._has_mcu:
            refusals = [Refusal(None, _text(payload), "the MCU is not there")]
        if refusals:
            self._refuse(refusals)
        elif self._module is not None:
            self._module.control(p0)

    def _on_ha_status(self, payload: bytes) -> None:
        if payload == _ONLINE:
            self._announce()

    def _refuse(self, refusals: list[Refusal]) -> None:
        for refusal in refusals:
            self._log.info("home broker: set refused: %s%s", refusal.attr + ": " if refusal.attr else "", refusal.error)
            self._broker.publish(self._error, home_message.build_error(refusal))


def _text(payload: bytes) -> str:
    return payload.decode("utf-8", "replace")
