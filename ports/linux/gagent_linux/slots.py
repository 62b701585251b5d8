"""The module's own software in two slots, beside the one that is installed: which runs, which is on trial.

    <state>/module/a.pyz, b.pyz    the software of a slot: a zip that Python runs
    <state>/module/slots.json      {"running": "a", "versions": {"a": "04020007"}, "tries": 0, "failed": {}}

    installed ── install ──▶ slot on trial ── confirmed by its own health ──▶ running
        ▲                         │ not confirmed in time, or it ended              │ three starts without health
        └──────── the one before ◀┘◀───────────────────────────────────────────────┘

`running` "" is the installed software, which is never written to and always there to fall back on. The file is replaced
as a whole, after the slot it names is on disk: a power cut at any moment leaves what ran before.
"""

import json
import os
import shutil
import time
import zipfile
from dataclasses import asdict, dataclass, field, replace

from .storage import replace_file

INSTALLED = ""
_SLOTS = ("a", "b")
# A slot that was healthy once is given more than one start.
_TRIES = 3
# A version that failed its trial is offered again and again: it gets another after an hour, doubling to a day, or once
# after a boot. Not by the wall clock, which on a Pi may say anything.
_FIRST_WAIT_S = 3600
_LONGEST_WAIT_S = 86400
_MAIN = "__main__.py"


class SlotError(Exception):
    """The software cannot be used; the text says why, and that the old one goes on."""


@dataclass(frozen=True)
class State:
    """`trial` is the slot to be tried next, `tries` how often the one to start was started without being healthy,
    `failed` the versions that never got healthy: [how often, when last in seconds of this boot]."""

    running: str = INSTALLED
    trial: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    tries: int = 0
    failed: dict[str, list[float]] = field(default_factory=dict)


class Slots:
    """The slots under the directory `state`."""

    def __init__(self, state: str) -> None:
        self.folder = os.path.join(state, "module")
        self._file = os.path.join(self.folder, "slots.json")

    def state(self) -> State:
        """As it is on disk; as if nothing had ever been installed when that cannot be read."""
        try:
            with open(self._file, "rb") as file:
                return State(**json.loads(file.read()))
        except (OSError, ValueError, TypeError):
            return State()

    def path(self, slot: str) -> str:
        return os.path.join(self.folder, slot + ".pyz")

    def install(self, image: str, version: str) -> None:
        """The software in the file `image` is to be tried at the next start; SlotError when it is none."""
        state = self.state()
        times, last = state.failed.get(version, (0, 0.0))
        wait_s = min(_FIRST_WAIT_S * 2 ** (times - 1), _LONGEST_WAIT_S) if times else 0
        if 0 <= time.monotonic() - last < wait_s:
            raise SlotError(
                "version %s did not come up %d time%s: tried again %d h after that"
                % (version, times, "s" if times > 1 else "", wait_s // 3600)
            )
        slot = "b" if state.running == "a" else "a"
        try:
            with zipfile.ZipFile(image) as archive:
                damaged = archive.testzip()
                if _MAIN not in archive.namelist() or damaged is not None:
                    raise SlotError("the image is damaged or has no %s: expected one of `gagent firmware pack`" % _MAIN)
            # The slot is named only when all of it is there.
            os.makedirs(self.folder, mode=0o700, exist_ok=True)
            with open(image, "rb") as file:
                replace_file(self.path(slot), file.read())
            self._save(replace(state, trial=slot, versions={**state.versions, slot: version}, tries=0))
        except zipfile.BadZipFile:
            raise SlotError("the image is no zip: expected one of `gagent firmware pack`") from None
        except OSError as error:
            raise SlotError("slot %s cannot be written: %s; the old version goes on" % (slot, error.strerror)) from None

    def begin(self) -> str:
        """The slot to start now, INSTALLED for none; one that was started in vain too often is given up."""
        state = self.state()
        if state.trial and state.tries:
            state = self._given_up(state)
        elif state.tries >= _TRIES:
            state = replace(state, running=INSTALLED, tries=0)
            self._save(state)
        slot = state.trial or state.running
        if slot not in _SLOTS or not os.path.exists(self.path(slot)):
            return INSTALLED
        self._save(replace(state, tries=state.tries + 1))
        return slot

    def confirm(self, slot: str) -> None:
        """`slot` is healthy: it is what runs from now on."""
        state = self.state()
        failed = {version: what for version, what in state.failed.items() if version != state.versions.get(slot)}
        self._save(replace(state, running=slot, trial="", tries=0, failed=failed))

    def give_up(self, slot: str) -> None:
        """`slot` did not get healthy in time."""
        state = self.state()
        if state.trial == slot:
            self._given_up(state)

    def remove(self) -> None:
        """Back to the installed software, for good."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _given_up(self, state: State) -> State:
        """The trial failed: what ran before runs again, and this version waits."""
        version = state.versions.get(state.trial, "")
        times = state.failed.get(version, [0, 0.0])[0] + 1
        state = replace(state, trial="", tries=0, failed={version: [times, time.monotonic()]})
        self._save(state)
        return state

    def _save(self, state: State) -> None:
        replace_file(self._file, json.dumps(asdict(state), indent=1).encode() + b"\n")
