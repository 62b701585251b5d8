"""`Tap`: the player that listens. What is heard is for the session's observer and its listeners."""


class Tap:
    """Listens and says nothing."""

    def __init__(self) -> None:
        self.values: dict = {}

    def facts(self) -> dict:
        return {}

    def start(self, now: int) -> list:
        return []

    def receive_from(self, sender: "int | None", data: bytes, now: int) -> list:
        return []

    def handle_timeout(self, now: int) -> list:
        return []

    def next_timeout(self) -> "int | None":
        return None

    def is_idle(self) -> bool:
        return True

    def line_lost(self, now: int) -> list:
        return []
