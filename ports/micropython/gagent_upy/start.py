"""Puts the port together and runs it. The order of what is loaded is the order in which the heap is used up.

Modules first, for which most room is needed at once, then what is made of them: what comes late must do with what is
left between. `board/main.py` lets go of this module before the loop begins.
"""

import gc
import os
import select
import sys
import time

import machine

import gagent_upy
from gagent.ota import SIGNATURES_WARN

# A key held within this time after the start leaves the chip to the REPL: the way back in when the MCU has the UART.
_ESCAPE_MS = 1000
_LOOK_MS = 20
# Controls that may wait for the MCU: an app that sends faster than an appliance takes is wrong anyway.
_QUEUE_SIZE = 8
# Reference modules take no longer frame.
_MAX_FRAME = 1030
# The largest image; what the flash has room for is less on most chips.
_MAX_FIRMWARE = 2 << 20


def make():
    """What runs the port, to be called; None when the escape key is held or the settings are wrong: a person's turn."""
    settings = _settings()
    if settings is None:
        return None
    # Who checked them makes room for who uses them.
    del gagent_upy.settings, sys.modules["gagent_upy.settings"]
    gc.collect()
    if settings.escape_pin >= 0 and _is_held(settings.escape_pin):
        print("escape: the agent is not started")
        return None
    from gagent.agent import Agent
    from gagent.config import AgentConfig

    from . import records
    from .clock import Clock
    from .crypto import Crypto
    from .http_client import HttpClient
    from .log import Log
    from .runner import Runner
    from .serial_port import SerialPort
    from .uplink import Uplink
    from .wifi import Wifi

    gc.collect()
    s = settings
    # One buffer for the UART and all sockets: who reads takes out at once what it needs, and comes back for more.
    buf = memoryview(bytearray(256))
    poll = select.poll()
    serial = SerialPort(poll, s, buf)
    log = Log(machine.UART(s.log_uart, 115200) if s.log_uart >= 0 else None)
    runner = Runner(Clock(), poll, log, machine.reset, machine.WDT() if s.watchdog else None)
    feed = runner.feed
    wifi = Wifi(poll, s, log, runner.network_changed)
    trial = _trial(s)
    record, damaged = records.load("identity")
    if record is None:
        if damaged:
            log.say("the stored identity is damaged: registering as a new device, its users must bind it again")
        record = {"mac": wifi.mac}
    config = AgentConfig(record, s.api_url.rstrip("/"), s.hard_version, s.soft_version, s.tz_minutes)
    config.firmware_key = s.firmware_key
    if sys.platform != "esp8266":
        config.signatures = SIGNATURES_WARN
    agent = Agent(config, os.urandom, s.baud, _QUEUE_SIZE, Crypto(), max_firmware=_MAX_FIRMWARE, max_frame=_MAX_FRAME)
    serial.join(feed, agent)
    tls = None
    if s.ca_file:
        from .tls import Tls

        tls = Tls(s.ca_file)
    uplink = Uplink(poll, wifi, buf, feed, agent, s.mqtt_port, tls if s.mqtt_tls else None)
    others: list = []
    if trial is not None:
        trial.uplink = uplink
        others.append(trial)
    if s.led >= 0:
        from .led import Led

        others.append(Led(s.led, uplink, wifi))
    if s.ntp_host:
        from .ntp import Ntp

        others.append(Ntp(poll, wifi, s.ntp_host, feed, agent))
    runner.join(agent, config, serial, wifi, uplink, HttpClient(poll, wifi, buf, feed, agent, tls), *others)
    return runner.run


def _settings():
    """The settings; None when they are wrong, which is told."""
    from .settings import SettingsError, load_settings

    try:
        return load_settings()
    except SettingsError as error:
        print(error)
        return None


def _trial(settings):
    """Of a chip that was upgraded: told to the cloud is the version that runs; the part that watches it on trial."""
    if "boot.json" not in os.listdir():
        return None
    from .trial import Trial

    trial = Trial(machine.reset)
    settings.soft_version = trial.version or settings.soft_version
    if trial.is_on:
        return trial
    del gagent_upy.trial
    for name in ("gagent_upy.trial", "loader"):
        del sys.modules[name]
    return None


def _is_held(number) -> bool:
    """Whether the pin is low at some time in the first second: a boot pin may not be held during the reset itself."""
    pin = machine.Pin(number, machine.Pin.IN, machine.Pin.PULL_UP)
    for _ in range(0, _ESCAPE_MS, _LOOK_MS):
        if not pin.value():
            return True
        time.sleep_ms(_LOOK_MS)
    return False
