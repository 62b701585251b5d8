"""What one port went through: since when its two ends are as they are, and how often they came and went."""

from gagent import effects as e

# Notice -> the end that it is about, and whether it is there now.
_CHANGES = {
    e.NOTICE_MCU_READY: ("mcu", True),
    e.NOTICE_MCU_LOST: ("mcu", False),
    e.NOTICE_ONLINE: ("cloud", True),
    e.NOTICE_OFFLINE: ("cloud", False),
}
_COUNTED = {
    e.NOTICE_MCU_READY: "mcu_found",
    e.NOTICE_MCU_LOST: "mcu_lost",
    e.NOTICE_ONLINE: "logins",
    e.NOTICE_OFFLINE: "cloud_lost",
    e.NOTICE_CLOUD_REFUSED: "cloud_refused",
    e.NOTICE_CLOUD_UNREACHABLE: "cloud_unreachable",
}
_LOGIN_FAILED = "logins_failed"


class History:
    """Fed with every `Notice`; `now` is the agent's clock."""

    def __init__(self, now: int) -> None:
        self._is_there = {"mcu": False, "cloud": False}
        self._since = dict.fromkeys(self._is_there, now)
        self._counts = dict.fromkeys([*_COUNTED.values(), _LOGIN_FAILED], 0)

    def note(self, notice: e.Notice, now: int) -> None:
        """A notice of the agent."""
        counted = _COUNTED.get(notice.code)
        end, is_there = _CHANGES.get(notice.code, ("", False))
        if end and self._is_there[end] != is_there:
            self._is_there[end] = is_there
            self._since[end] = now
        elif notice.code == e.NOTICE_OFFLINE:
            counted = _LOGIN_FAILED  # it was not on line: this try did not get there
        if counted is not None:
            self._counts[counted] += 1

    def counts(self) -> dict[str, int]:
        """How often each thing happened since the port was started."""
        return dict(self._counts)

    def since_s(self, end: str, now: int) -> int:
        """For how many seconds `end` ("mcu" or "cloud") has been there, or away."""
        return (now - self._since[end]) // 1000
