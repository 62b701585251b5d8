"""A version of the module's software on trial: confirmed when the cloud is reached, else started anew.

Loaded at the start of a chip that was upgraded once. `board/loader.py` counts the starts and goes back.
"""

import os

import loader

from mcu_proto.const import const

from .uplink import READY

# From the start to the cloud, with a Wi-Fi that is slow to join.
_TIME = const(120000)


class Trial:
    """`version` is what runs, "" where the settings know; a part of the runner when `is_on`, with its `uplink`."""

    def __init__(self, restart):
        state = loader.load()
        self._restart = restart
        self.uplink = None
        self.is_on = state["trial"] != ""
        self.version = state["next" if self.is_on else "version"]
        self.due = _TIME

    def turn(self, now):
        """Look whether all is well."""
        if self.is_on and self.uplink.state == READY:
            self.is_on = False
            self.due = None
            _confirm()
        elif self.is_on and now >= _TIME:
            self._restart()


def _confirm():
    state = loader.load()
    if state["trial"] == "ota":
        from esp32 import Partition

        try:
            Partition.mark_app_valid_cancel_rollback()
        except OSError:
            pass  # a firmware whose bootloader does not go back by itself
    else:
        state["runs"] = state["trial"] if state["trial"] in ("a", "b") else ""
    state["version"] = state["next"]
    state["trial"] = state["failed"] = ""
    loader.save(state)
    for name in (loader.NEXT, loader.BEFORE, "module.json", "module.image"):
        try:
            os.remove(name)
        except OSError:
            pass  # there is none
