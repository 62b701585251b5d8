"""The chip's radio in a program of a test's: the air it makes, what the radio told and said, what it stored."""

import asyncio
from pathlib import Path
from typing import Any

from gagent_upy import storage

from . import upy_program

# `air` says which networks are in reach; `told` has what the port heard, `said` the log, `keys` is the SoftAP's.
_PROGRAM = """
import network as radio
from gagent_upy import onboarding, storage
from gagent_upy.wifi import SOFTAP, Wifi


class Settings:
    ssid, key, ap_password, form_port = {given} + ({password!r}, {port})


class Log:
    def say(self, text):
        said.append(text)


def air(*networks):
    with open("air", "w") as file:
        file.write("".join(["%s %s\\n" % pair for pair in networks]))


def make():
    return Wifi(poll, Settings, Log(), lambda *change: told.append(change))


def wait(is_done, until=600000):
    "Where nobody else has anything to say."
    spin(wifi, is_done, until, lambda: None)


def joined():
    return bool(told) and told[-1][0]


told, said = [], []
home, other = ("home", "homesecret"), ("other", "othersecret")
{before}
wifi = make()
{program}
print(repr((told, said)))
"""
HOME = '("home", "homesecret")'
NONE = '("", "")'


async def start(
    folder: Path, program: str, given: str = NONE, before: str = "air()", password: str = "", port: int = 80
) -> tuple[list[Any], list[Any]]:
    """(what was told, what was said) of `program`."""
    text = _PROGRAM.format(given=given, password=password, port=port, before=before, program=program)
    told, said = eval((await upy_program.run(text, folder, GAGENT_AIR=folder / "air"))[-1])
    return told, said


def play(folder: Path, program: str, **options: Any) -> tuple[list[Any], list[Any], dict[str, Any]]:
    """(what was told, what was said, the networks stored) of `program`."""
    told, said = asyncio.run(start(folder, program, **options))
    return told, said, stored(folder)


def stored(folder: Path) -> Any:
    """The networks that a chip with these files knows."""
    return storage.load(str(folder / "networks"))[0]
