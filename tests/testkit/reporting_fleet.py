"""Many devices that report: each report has a number of its own, so that afterwards every one can be accounted for."""

import threading
import time
from collections.abc import Sequence

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from gagent import wire

from .cloud_running import PASSCODE
from .patience import PATIENCE_S


class ReportingFleet:
    """`dids` are registered. The reports are of a transparent product: action 06 and a number."""

    def __init__(self, port: int, dids: Sequence[str]) -> None:
        self._port = port
        self._clients = {did: _client(did) for did in dids}

    def connect(self) -> None:
        """Returns when all are logged in."""
        for client in self._clients.values():
            is_in = threading.Event()
            client.on_connect = lambda c, u, flags, reason, p, is_in=is_in: reason.is_failure or is_in.set()
            client.connect("127.0.0.1", self._port, keepalive=120)
            client.loop_start()
            assert is_in.wait(PATIENCE_S)

    def report(self, first: int, rounds: int) -> None:
        """Every device sends `rounds` reports, numbered from `first` on; ConnectionError when the broker is gone."""
        for number in range(first, first + rounds):
            for did, client in self._clients.items():
                sent = client.publish("dev2app/" + did, report(did, number))
                while not sent.is_published():
                    if not client.is_connected():
                        raise ConnectionError("the broker ended the session of " + did)
                    time.sleep(0.001)

    def disconnect(self) -> None:
        for client in self._clients.values():
            client.disconnect()
            client.loop_stop()


def report(did: str, number: int) -> bytes:
    """The envelope of a report."""
    return wire.encode(wire.CLOUD_REPORT, b"\x06" + ("%s %d" % (did, number)).encode())


def _client(did: str) -> paho.Client:
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id=did, protocol=paho.MQTTv31, reconnect_on_failure=False)
    client.username_pw_set(did, PASSCODE)
    return client
