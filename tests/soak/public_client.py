"""A public client against this cloud as it is: heatzypy, which Home Assistant's Heatzy integration is made of.

    python3 -m venv /tmp/client && /tmp/client/bin/pip install heatzypy==2.6.1
    .venv/bin/python tests/soak/public_client.py /tmp/client/bin/python

It knows its hosts and ports by heart, https://euapi.gizwits.com and wss://eusandbox.gizwits.com:8880. Only DNS and the
certificate authority are ours. It lives in an environment of its own: its package brings a module named `tests`.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent.parent)]

from localcloud.certificate import make_certificate  # noqa: E402  after the line above, like the rest
from testkit.cloud_running import LAMP, PASSCODE, mqtt_device, running_cloud  # noqa: E402

from gagent import wire  # noqa: E402
from mcu_proto.datapoint import Schema  # noqa: E402

API, M2M = "euapi.gizwits.com", "eusandbox.gizwits.com"
USER = {"username": "anna", "password": "Secret-word1"}
SCHEMA = Schema.from_definition(LAMP)
WAIT_S = 20


def main(python: str) -> int:
    """0 when the client did everything, 1 when not."""
    with tempfile.TemporaryDirectory() as folder:
        tls = make_certificate(Path(folder), [API, M2M])
        with running_cloud(Path(folder), https_port=0, mqtts_port=0) as cloud:
            did = cloud.register("021122334455")
            token = cloud.app("POST", "/app/users", USER).json["token"]
            cloud.app("POST", "/app/bind_latest", {"qr_content": "did=%s&passcode=%s" % (did, PASSCODE)}, token)
            ports = {API: cloud.cloud.https_port, M2M: cloud.cloud.websocket.tls_port}
            world = {"ca": str(tls.ca), "ports": ports, "did": did, **USER}
            client = [python, str(Path(__file__).with_name("heatzypy_app.py")), json.dumps(world)]
            with mqtt_device(cloud, did) as device, subprocess.Popen(client, stdout=subprocess.PIPE, text=True) as app:
                steps = list(_play(device, app))
    for name, is_right in steps:
        print("%-4s %s" % ("ok" if is_right else "FAIL", name))
    return 0 if app.returncode == 0 and all(is_right for _, is_right in steps) else 1


def _play(device, app):
    """(what the client should do, whether the device heard it)."""
    yield "asks for the state over wss", _heard(device) == b"\x02"
    device.publish(wire.encode(wire.CLOUD_REPORT, SCHEMA.encode_report({"mode": "warm"}, 3)))
    control = SCHEMA.decode_control(_heard(device))
    yield "writes attributes over wss", control == {"mode": "night", "power": False}
    yield "sends P0 over wss", _heard(device) == b"\x01\x01\x03"
    yield "writes attributes over https", SCHEMA.decode_control(_heard(device)) == {"mode": "warm"}
    out, _ = app.communicate(timeout=WAIT_S)
    yield "was told the state and no error: %s" % out.strip(), out.split()[:1] == ["warm"]


def _heard(device):
    _, payload = device.heard.get(timeout=WAIT_S)
    return wire.decode(payload).p0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    sys.exit(main(sys.argv[1]))
