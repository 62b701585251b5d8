"""Users and their tokens. A token is stored as its SHA-256: who reads the database cannot act as a user."""

import hashlib
import secrets
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Engine, delete, select
from sqlalchemy.exc import IntegrityError

from .tables import tokens, users


@dataclass(frozen=True)
class User:
    """`username` is None for an anonymous user, `phone_id` for all others."""

    uid: str
    username: str | None
    password_hash: str | None
    app_id: str | None
    phone_id: str | None
    lang: str


class Users:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, username: str, password_hash: str, lang: str) -> User | None:
        """A new user with a password; None when the name is taken."""
        return self._insert(User(secrets.token_hex(16), username, password_hash, None, None, lang))

    def anonymous(self, app_id: str, phone_id: str, lang: str) -> User:
        """The user of that phone, made when it is seen for the first time."""
        known = self._find(users.c.app_id == app_id, users.c.phone_id == phone_id)
        if known is not None:
            return known
        user = User(secrets.token_hex(16), None, None, app_id, phone_id, lang)
        # Refused when another process was faster; then it is there.
        return self._insert(user) or self.anonymous(app_id, phone_id, lang)

    def by_name(self, username: str) -> User | None:
        return self._find(users.c.username == username)

    def issue_token(self, uid: str, expire_at: int) -> str:
        """A new token of that user. It is told once, here, and cannot be read back."""
        token = secrets.token_hex(16)
        with self._engine.begin() as connection:
            connection.execute(tokens.insert().values(token_hash=_hash(token), uid=uid, expire_at=expire_at))
        return token

    def by_token(self, token: str) -> tuple[User, int] | None:
        """The user of a token and when it expires (or has expired); None when nobody has it."""
        query = select(users, tokens.c.expire_at).join(tokens).where(tokens.c.token_hash == _hash(token))
        with self._engine.begin() as connection:
            row = connection.execute(query).first()
        return (User(*row[:-1]), row[-1]) if row else None

    def drop_tokens(self, expired_before: int) -> None:
        with self._engine.begin() as connection:
            connection.execute(delete(tokens).where(tokens.c.expire_at < expired_before))

    def _insert(self, user: User) -> User | None:
        try:
            with self._engine.begin() as connection:
                connection.execute(users.insert().values(**vars(user)))
        except IntegrityError:
            return None
        return user

    def _find(self, *conditions: ColumnElement[bool]) -> User | None:
        with self._engine.begin() as connection:
            row = connection.execute(select(users).where(*conditions)).first()
        return User(*row) if row else None


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
