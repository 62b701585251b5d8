"""The main job: from nothing to a device that is online, reports and is controlled; each step seen from its far end."""

import stat

import pytest
from testkit.chain_running import PRODUCT_KEY, Chain
from testkit.processes_running import until
from testkit.upy_chain import UpyChain

from gagent import wire

# What a module answers to a control that the MCU took: an envelope without P0.
TAKEN = wire.encode(wire.CLOUD_REPORT, b"")


@pytest.fixture(params=[Chain, pytest.param(UpyChain, marks=pytest.mark.micropython)], ids=["linux", "micropython"])
def port(request):
    return request.param


def test_a_device_comes_online_reports_and_is_controlled(chain_of_each_broker):
    chain = chain_of_each_broker
    did = chain.start()
    chain.mcu.says("router, cloud")
    assert did == chain.identity["did"]

    chain.mcu.tell("set child_lock on timer 75")
    until(lambda: chain.app.attrs(did).get("timer") == 75, "the app sees the report")
    assert chain.app.attrs(did)["child_lock"] == 1

    chain.app.control(did, power=True, mode="hot_water", target_temp=45.5, week_program="01020304050607")
    line = chain.mcu.says("control:")
    assert line.endswith("power true  mode hot_water  target_temp 45.5  week_program 01020304050607")
    until(lambda: chain.app.attrs(did)["mode"] == "hot_water", "the app sees what the MCU did")
    attrs = chain.app.attrs(did)
    assert (attrs["power"], attrs["target_temp"], attrs["timer"]) == (1, 45.5, 75)

    until(lambda: ("dev2app", TAKEN) in chain.app.messages(did), "the control is acked")
    messages = chain.app.messages(did)
    commands = [wire.decode(payload).cmd for direction, payload in messages if direction == "app2dev"]
    assert commands == [wire.CLOUD_COMMAND]
    assert messages.index(("dev2app", TAKEN)) > [direction for direction, _ in messages].index("app2dev")
    assert chain.app.presence(did) == ["dev_online"]


def test_the_state_can_be_read_and_an_alert_is_seen(chain):
    did = chain.start()
    chain.mcu.tell("raise alert_frost")
    until(lambda: chain.app.attrs(did).get("alert_frost") == 1, "the app sees the alert")
    chain.app.control_raw(did, b"\x02")
    chain.mcu.says("the module reads the state")


def test_a_device_keeps_its_identity_when_its_agent_starts_again(chain_of_each_broker):
    chain = chain_of_each_broker
    did = chain.start()
    assert stat.S_IMODE(chain.identity_path.stat().st_mode) == 0o600
    stored = chain.identity_path.read_bytes()
    passcode = chain.identity["passcode"]

    assert chain.agent.stop() == 0
    until(lambda: not chain.app.is_online(did), "the cloud is told goodbye")
    first = chain.agent
    mark = chain.mcu.mark()
    chain.start_agent("-vv")
    chain.agent.says("online, did " + did)
    chain.mcu.says("router, cloud", since=mark)
    chain.shows_online(did)

    chain.app.control(did, power=True)
    chain.mcu.says("control: power true")
    assert chain.identity_path.read_bytes() == stored
    assert chain.app.presence(did) == ["dev_online", "dev_offline", "dev_online"]
    assert "registering" not in chain.agent.stderr
    assert PRODUCT_KEY in chain.agent.stderr
    assert passcode
    for process in (first, chain.agent, chain.cloud, chain.mcu):
        assert passcode not in process.stderr + process.stdout
    assert first.stdout == chain.agent.stdout == ""
