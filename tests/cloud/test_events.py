"""Events within a process, and between two over what a broker would carry."""

import logging

from localcloud.events import BINDING, MESSAGE, Event, LocalBus, MqttBus

EVENT = Event(MESSAGE, "did", {"payload": b"\x00\xff", "client": None})


def test_every_listener_is_told_until_it_ends(caplog):
    bus, heard = LocalBus(), []
    forget = bus.subscribe(heard.append)
    bus.publish(EVENT)
    forget()
    bus.publish(EVENT)
    assert heard == [EVENT]


def test_a_listener_that_fails_stops_nobody(caplog):
    bus, heard = LocalBus(), []
    bus.subscribe(lambda event: 1 // 0)
    bus.subscribe(heard.append)
    with caplog.at_level(logging.ERROR):
        bus.publish(EVENT)
    assert heard == [EVENT]
    assert "ZeroDivisionError" in caplog.text


def test_an_event_reaches_every_worker_once():
    wire, workers, heard = [], {}, {"one": [], "two": []}
    for name, events in heard.items():
        workers[name] = MqttBus(name, lambda topic, payload: wire.append((topic, payload)))
        workers[name].subscribe(events.append)
    workers["one"].publish(EVENT)
    workers["two"].publish(Event(BINDING, "did", {"uid": "u", "bind": False}))
    for topic, payload in wire:
        for worker in workers.values():
            worker.receive(topic, payload)
    assert sorted(heard["one"]) == sorted(heard["two"]) == [Event(BINDING, "did", {"uid": "u", "bind": False}), EVENT]


def test_what_is_no_event_is_dropped():
    bus, heard = MqttBus("one", lambda topic, payload: None), []
    bus.subscribe(heard.append)
    for payload in (b"", b"no json", b"[]", b"{}", b'{"worker": "two"}', b"\xff"):
        bus.receive("localcloud/events/message", payload)
    assert heard == []
