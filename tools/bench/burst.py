"""What comes through of many at once: reports in one write to the line, controls without a pause from an app."""

from pathlib import Path
from typing import Any

from agent import mac_of, running_agent
from broker import Broker
from client import Client
from device_api import did_of, running_device_api
from figure import Figure
from mcu import mcus_on_ptys
from plan import Plan
from traffic import Traffic

from gagent import topics, wire
from mcu_proto.datapoint import Schema

_REPORTS = 80
_CONTROLS = 50
_APP = "bench"


def measure(plan: Plan, definition: dict[str, Any], broker: Broker, folder: Path) -> list[Figure]:
    """How many arrive."""
    schema = Schema.from_definition(definition)
    reports = [schema.encode_report({"energy": i}) for i in range(_REPORTS)]
    envelopes = {wire.encode(wire.CLOUD_REPORT, p0) for p0 in reports}
    controls = [schema.encode_control({"timer": i}) for i in range(_CONTROLS)]
    arrived, taken = [], []
    with (
        running_device_api(broker) as api,
        mcus_on_ptys(schema.product_key, 1) as mcus,
        running_agent(folder, api, mcus) as agent,
        Client(broker, _APP, "dev2app/#") as app,
    ):
        agent.wait_online(mcus)
        traffic = Traffic(mcus, app)
        for _ in range(plan.runs):
            traffic.forget()
            mcus[0].report_all(reports, 0)
            traffic.carry_until(lambda: traffic.arrived >= envelopes and len(traffic.acked_at) >= _REPORTS)
            arrived.append(float(len(envelopes & traffic.arrived)))
            for sn, p0 in enumerate(controls):
                app.publish(topics.app2dev(did_of(mac_of(0)), _APP), wire.encode(wire.CLOUD_CONTROL, p0, sn))
            traffic.carry_until(lambda: len(traffic.taken) >= _CONTROLS)
            taken.append(float(len(traffic.taken & set(controls))))
    return [
        Figure("%d reports in one write, arrived" % _REPORTS, "reports", arrived),
        Figure("%d controls back to back, at the MCU" % _CONTROLS, "controls", taken),
    ]
