"""The state of a device in a store, as a report of it puts it there."""

from typing import Any

from localcloud.store.history import DEV2APP, Message
from localcloud.store.intake import Report
from localcloud.store.store import Store


def report(store: Store, did: str, attrs: dict[str, Any], at: float) -> None:
    """The device reported these attributes then."""
    store.intake.store([Report(Message(did, at, DEV2APP, "::1", b"report"), attrs)])
