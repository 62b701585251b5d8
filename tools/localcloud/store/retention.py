"""What is too old to keep goes: records, latest values, tokens and codes, for good.

Rows go in small portions, each a transaction of its own, so that whoever writes meanwhile waits for milliseconds.
"""

from sqlalchemy import Column, Engine, Table, delete, select, update

from .database import truncate_log
from .tables import app_tokens, codes, device_files, devices, messages, presence, sent_codes, tokens

PORTION = 2000
# Expired tokens are remembered for a while: "expired" tells an app more than "invalid".
EXPIRED_TOKENS_S = 30 * 86400

_RECORDS = (messages, presence, device_files)
_EXPIRING = {tokens: EXPIRED_TOKENS_S, app_tokens: EXPIRED_TOKENS_S, codes: 3600, sent_codes: 0}


class Retention:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def apply(self, now: float, history_days: int, latest_hours: int) -> int:
        """A portion of every kind goes: how many rows; 0 when nothing is too old any more. Not for the event loop."""
        gone = sum(self._drop(table, table.c.at, now - history_days * 86400) for table in _RECORDS)
        gone += sum(self._drop(table, table.c.expire_at, now - grace) for table, grace in _EXPIRING.items())
        gone += self._forget_values(now - latest_hours * 3600)
        if gone:
            truncate_log(self._engine)
        return gone

    def _drop(self, table: Table, time_of: "Column[float]", before: float) -> int:
        key = table.c.id if "id" in table.c else next(iter(table.primary_key.columns))
        old = select(key).where(time_of < before).limit(PORTION)
        with self._engine.begin() as connection:
            return connection.execute(delete(table).where(key.in_(old), time_of < before)).rowcount

    def _forget_values(self, before: float) -> int:
        old = (devices.c.attrs_at > 0) & (devices.c.attrs_at < before)
        with self._engine.begin() as connection:
            return connection.execute(update(devices).where(old).values(attrs="{}", attrs_at=0.0)).rowcount
