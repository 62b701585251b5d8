"""Starts the module's software of the slot whose turn it is, and takes it back when it does not get healthy.

The process that the user or the service manager started stays the parent: it passes signals on, waits for the slot's
word that it is healthy, and if that does not come in time ends it and starts the one before. The whole way back takes
less than a minute. Without a slot nothing happens here: the installed software runs in this very process.
"""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence

from .slots import INSTALLED, Slots

# What a slot is told: which it is, its version, where to say that it is healthy, and where it hears its parent's end.
SLOT = "GAGENT_SLOT"
VERSION = "GAGENT_SLOT_VERSION"
HEALTH = "GAGENT_SLOT_HEALTH"
PARENT = "GAGENT_SLOT_PARENT"

# The exit code that asks for another start: EX_TEMPFAIL.
RESTART = 75

# A trial that is not on line by then has failed; handshake and login take seconds, a cloud's bad minute some more.
_HEALTHY_WITHIN_S = 45
_LEAVES_WITHIN_S = 6
_PASSED_ON = (signal.SIGTERM, signal.SIGHUP)


def launch(state: str, argv: Sequence[str], healthy_within_s: float = _HEALTHY_WITHIN_S) -> int | None:
    """The exit code of the slot that ran `argv`, or None: the installed software is to run, here and now."""
    slots = Slots(state)
    while (slot := slots.begin()) != INSTALLED:
        code = _Child(slots, slot, argv).run(healthy_within_s)
        if code is not None:
            return code
    return None


class _Child:
    """One start of one slot."""

    def __init__(self, slots: Slots, slot: str, argv: Sequence[str]) -> None:
        self._slots = slots
        self._slot = slot
        self._argv = argv
        self._is_told_to_stop = False

    def run(self, healthy_within_s: float) -> int | None:
        """Its exit code; None when another start is due."""
        state = self._slots.state()
        version = state.versions.get(self._slot, "")
        health, told = os.pipe()
        # Nothing is ever written to it: it ends with this process, however that ends.
        parent, alive = os.pipe()
        environ = {**os.environ, SLOT: self._slot, VERSION: version, HEALTH: str(told), PARENT: str(parent)}
        # The watchdog's beats are the slot's now.
        environ.pop("WATCHDOG_PID", None)
        command = [sys.executable, self._slots.path(self._slot), *self._argv]
        before = {number: signal.signal(number, self._pass_on) for number in _PASSED_ON}
        # From a terminal it reaches the slot by itself.
        before[signal.SIGINT] = signal.signal(signal.SIGINT, self._on_interrupt)
        try:
            self._process = subprocess.Popen(command, env=environ, pass_fds=(told, parent))  # noqa: S603  a verified image
            os.close(told)
            os.close(parent)
            is_trial = state.trial == self._slot
            return self._watch(health, version, is_trial, healthy_within_s)
        finally:
            os.close(health)
            os.close(alive)
            for number, handler in before.items():
                signal.signal(number, handler)

    def _watch(self, health: int, version: str, is_trial: bool, within_s: float) -> int | None:
        deadline = time.monotonic() + within_s
        if _says_so(health, deadline) or (not is_trial and self._process.poll() is None):
            # A version that was healthy once is not given up for a cloud that is away: living is enough.
            self._slots.confirm(self._slot)
        elif not self._is_told_to_stop:
            code = self._process.poll()
            self._end()
            self._slots.give_up(self._slot)
            if is_trial:
                why = "is not on line within %d s" % within_s if code is None else "ended with exit code %d" % code
                _say("version %s %s: back to the one before" % (version, why))
                return None
            return self._process.returncode or 1
        code = self._process.wait()
        return None if code == RESTART else code

    def _end(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(_LEAVES_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _pass_on(self, number: int, _frame: object) -> None:
        self._is_told_to_stop = self._is_told_to_stop or number == signal.SIGTERM
        self._process.send_signal(number)

    def _on_interrupt(self, _number: int, _frame: object) -> None:
        self._is_told_to_stop = True


def _says_so(health: int, deadline: float) -> bool:
    """Whether the slot said in time that it is healthy; not when it ended before."""
    ready, _, _ = select.select([health], [], [], max(0.0, deadline - time.monotonic()))
    return bool(ready) and os.read(health, 1) != b""


def _say(text: str) -> None:
    print("gagent: " + text, file=sys.stderr, flush=True)
