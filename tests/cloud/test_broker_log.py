"""mosquitto's log lines, as version 2.0.11 wrote them unless it says otherwise."""

import pytest
from localcloud.mosquitto_log import Connected, Disconnected, Published, Subscribed, parse_line

LINES = {
    "New client connected from 127.0.0.1:57102 as dev1 (p1, c1, k120, u'dev1').": Connected(
        "dev1", "127.0.0.1", 120, "dev1"
    ),
    "New client connected from ::1:57102 as dev1 (p2, c0, k0, u'dev1').": Connected("dev1", "::1", 0, "dev1"),
    "dev1 0 app2dev/dev1/#": Subscribed("dev1", "app2dev/dev1/#"),
    "Client dev1 disconnected.": Disconnected("dev1", "mqtt_disconnect"),
    "Client dev1 closed its connection.": Disconnected("dev1", "tcp_closed"),
    "Client dev1 has exceeded timeout, disconnecting.": Disconnected("dev1", "no_heartbeat"),
    "Client dev1 been disconnected by administrative action.": Disconnected("dev1", ""),
    "Client dev1 disconnected due to protocol error.": Disconnected("dev1", "tcp_closed"),
    # Composed: newer versions name the address.
    "Client dev1 [127.0.0.1:57102] closed its connection.": Disconnected("dev1", "tcp_closed"),
    # A login that failed is no end of a session, whatever name it used.
    "Client dev1 disconnected, not authorised.": None,
    "Client <unknown> disconnected, not authorised.": None,
    "Client dev1 already connected, closing old connection.": None,
    "New connection from 127.0.0.1:57102 on port 1883.": None,
    "dynsec: control/control | createClient | username=d2 | password=*****": None,
    "mosquitto version 2.0.11 running": None,
    "Received PUBLISH from dev1 (d0, q0, r0, m0, 'cli2ser_req', ... (6 bytes))": Published("dev1", "cli2ser_req", 6),
    "Received PUBLISH from dev1 (d0, q0, r0, m0, 'dev2app/dev1', ... (15 bytes))": None,
    "Sending PUBLISH to dev1 (d0, q0, r0, m0, 'cli2ser_req', ... (6 bytes))": None,
    "": None,
}


@pytest.mark.parametrize("line", LINES)
def test_line_tells_what_happened_to_a_client(line):
    told = parse_line(line)
    expected = LINES[line]
    assert told == expected
