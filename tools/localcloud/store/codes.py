"""Codes and links that prove who somebody is, tokens of apps, and the outbox of a cloud that has no sender.

A code is stored as its SHA-256, expires, is of use once, and is gone after some wrong tries, or six digits would be
guessed soon. Only the outbox has it in clear, because the operator reads it to the person.
"""

import hashlib
import secrets
from dataclasses import dataclass

from sqlalchemy import Engine, delete, select, update

from .tables import app_tokens, codes, sent_codes
from .users import hash_of

# What a code is for: the phone it was sent to, the image it is on, the person whose link it is in.
SMS = "sms"
CAPTCHA = "captcha"
RESET = "reset"
ACTIVATION = "activation"

MAX_TRIES = 5


@dataclass(frozen=True)
class SentCode:
    """A row of the outbox: what would have gone to `address` by `kind`, sms or email."""

    at: float
    kind: str
    address: str
    code: str
    text: str
    expire_at: int


class Codes:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def put(self, kind: str, subject: str, code: str, expire_at: int, tries: int = MAX_TRIES) -> None:
        """The code of that subject from now on; an older one is of no use any more."""
        mine = (codes.c.kind == kind) & (codes.c.subject == subject)
        row = {"code_hash": _digest(subject, code), "tries_left": tries, "expire_at": expire_at}
        with self._engine.begin() as connection:
            connection.execute(delete(codes).where(mine))
            connection.execute(codes.insert().values(kind=kind, subject=subject, **row))

    def replace(self, kind: str, subject: str, code: str, now: float) -> bool:
        """Another code in the place of one that is still good; False when there is none."""
        mine = (codes.c.kind == kind) & (codes.c.subject == subject) & (codes.c.expire_at > now)
        with self._engine.begin() as connection:
            return connection.execute(update(codes).where(mine).values(code_hash=_digest(subject, code))).rowcount > 0

    def spend(self, kind: str, subject: str, code: str, now: float) -> bool | None:
        """Whether the code is right, and then it is gone; None when it has expired. A wrong one costs a try."""
        mine = (codes.c.kind == kind) & (codes.c.subject == subject)
        right = mine & (codes.c.code_hash == _digest(subject, code)) & (codes.c.tries_left > 0)
        with self._engine.begin() as connection:
            expire_at = connection.execute(select(codes.c.expire_at).where(right)).scalar()
            if expire_at is None:
                connection.execute(update(codes).where(mine).values(tries_left=codes.c.tries_left - 1))
                return False
            # Of two who bring it at the same moment one finds it gone.
            gone = connection.execute(delete(codes).where(right)).rowcount > 0
        if expire_at <= now:
            return None
        return gone

    def make_link(self, kind: str, uid: str, expire_at: int) -> str:
        """The secret part of a link for that person; an older one is of no use any more."""
        secret = secrets.token_hex(16)
        row = {"subject": hash_of(secret), "code_hash": "", "tries_left": 1, "expire_at": expire_at}
        with self._engine.begin() as connection:
            connection.execute(delete(codes).where(codes.c.kind == kind, codes.c.uid == uid))
            connection.execute(codes.insert().values(kind=kind, uid=uid, **row))
        return secret

    def whose_link(self, kind: str, secret: str, now: float) -> str | None:
        """The uid of the person whom a link that is still good belongs to."""
        query = select(codes.c.uid).where(codes.c.kind == kind, codes.c.subject == hash_of(secret))
        with self._engine.begin() as connection:
            return connection.execute(query.where(codes.c.expire_at > now)).scalar()

    def spend_link(self, kind: str, secret: str, now: float) -> str | None:
        """The same, and the link is gone."""
        uid = self.whose_link(kind, secret, now)
        mine = (codes.c.kind == kind) & (codes.c.subject == hash_of(secret))
        with self._engine.begin() as connection:
            return uid if connection.execute(delete(codes).where(mine)).rowcount > 0 else None

    def issue_app_token(self, app_id: str, expire_at: int) -> str:
        """A new token of that app; told once."""
        token = secrets.token_hex(16)
        with self._engine.begin() as connection:
            connection.execute(
                app_tokens.insert().values(token_hash=hash_of(token), app_id=app_id, expire_at=expire_at)
            )
        return token

    def app_token_expiry(self, app_id: str, token: str) -> int | None:
        """When a token of that app expires (or has expired); None when it has no such token."""
        query = select(app_tokens.c.expire_at).where(
            app_tokens.c.token_hash == hash_of(token), app_tokens.c.app_id == app_id
        )
        with self._engine.begin() as connection:
            return connection.execute(query).scalar()

    def keep_sent(self, sent: SentCode) -> None:
        """Into the outbox."""
        with self._engine.begin() as connection:
            connection.execute(sent_codes.insert().values(**vars(sent)))

    def sent(self, now: float, limit: int = 100) -> list[SentCode]:
        """What is in the outbox and still of use, the newest first."""
        columns = [sent_codes.c[name] for name in SentCode.__dataclass_fields__]
        query = select(*columns).where(sent_codes.c.expire_at > now).order_by(sent_codes.c.id.desc()).limit(limit)
        with self._engine.begin() as connection:
            return [SentCode(*row) for row in connection.execute(query)]


def _digest(subject: str, code: str) -> str:
    return hashlib.sha256(("%s %s" % (subject, code)).encode()).hexdigest()
