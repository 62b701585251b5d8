"""What is killed and started again is found again by the others, without a hand on them."""

from testkit.processes_running import until


def test_a_device_comes_back_by_itself_when_the_cloud_was_killed(chain_of_each_broker):
    chain = chain_of_each_broker
    did = chain.start()
    stored = chain.identity_path.read_bytes()
    chain.mcu.tell("set timer 75")
    until(lambda: chain.app.attrs(did).get("timer") == 75, "the app sees the report")

    agent_mark, mcu_mark = chain.agent.mark(), chain.mcu.mark()
    chain.cloud.kill()
    assert "closed the connection" in chain.agent.says("WARNING agent: offline: ", since=agent_mark)
    chain.start_cloud()
    chain.agent.says("online, did " + did, since=agent_mark)
    chain.mcu.says("router, cloud", since=mcu_mark)
    chain.shows_online(did)

    # The user, the binding and the state survived as well.
    assert chain.app.attrs(did)["timer"] == 75
    chain.app.control(did, power=True)
    chain.mcu.says("control: power true")
    until(lambda: chain.app.attrs(did)["power"] == 1, "the app sees what the MCU did")
    assert chain.app.presence(did) == ["dev_online", "dev_offline", "dev_online"]
    assert chain.identity_path.read_bytes() == stored


def test_an_mcu_that_goes_and_comes_takes_its_device_along(chain_of_each_broker):
    chain = chain_of_each_broker
    did = chain.start()
    chain.app.control(did, timer=75)
    chain.mcu.says("control: timer 75")

    mark = chain.agent.mark()
    chain.kill_mcu()
    chain.agent.says("waiting for it to come back", since=mark)
    chain.agent.says("MCU lost: the serial port is gone", since=mark)
    until(lambda: not chain.app.is_online(did), "the cloud shows the device as offline")
    chain.start_mcu()
    chain.agent.says("%s is open at 9600 baud" % chain.mcu_path, since=mark)
    chain.agent.says("MCU is there", since=mark)
    chain.shows_online(did)

    chain.app.control(did, timer=76)
    chain.mcu.says("control: timer 76")
    assert chain.app.presence(did) == ["dev_online", "dev_offline", "dev_online"]
    assert chain.agent.stderr.count("waiting for it") == 1


def test_a_port_that_appears_later_is_taken_then(chain):
    chain.add_product()
    chain.start_cloud()
    chain.start_agent()
    line = chain.agent.says("does not exist")
    assert line.endswith("mcu does not exist: plug the adapter in or correct `port`; waiting for it")
    chain.start_mcu()
    chain.agent.says("online, did")
    did = chain.bind()
    chain.app.control(did, power=True)
    chain.mcu.says("control: power true")


def test_a_cloud_that_appears_later_is_joined_then(chain):
    chain.add_product()
    chain.start_mcu()
    chain.start_agent()
    line = chain.agent.says("ERROR")
    assert "the cloud cannot be reached: no connection to 127.0.0.1:%d: Connection refused" % chain.http_port in line
    assert line.endswith("check `api` and that the cloud is running")
    chain.start_cloud()
    chain.agent.says("online, did")
    did = chain.bind()
    chain.app.control(did, power=True)
    chain.mcu.says("control: power true")
