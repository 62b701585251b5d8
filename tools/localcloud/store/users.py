"""Users and their tokens. A token is stored as its SHA-256: who reads the database cannot act as a user."""

import hashlib
import secrets
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, delete, select, update
from sqlalchemy.exc import IntegrityError

from .tables import third_parties, tokens, users


@dataclass(frozen=True)
class User:
    """`username`, `phone`, `email` and `password_hash` are None where there is none; a `phone_id` is anonymous."""

    uid: str
    username: str | None = None
    password_hash: str | None = None
    app_id: str | None = None
    phone_id: str | None = None
    lang: str = "en"
    phone: str | None = None
    email: str | None = None
    is_email_active: bool = False
    name: str = ""
    gender: str = "N"
    birthday: str = ""
    address: str = ""
    remark: str = ""

    @property
    def is_anonymous(self) -> bool:
        return self.phone_id is not None


_COLUMNS = [users.c[name] for name in User.__dataclass_fields__]


class Users:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, **columns: Any) -> User | None:
        """A new user; None when the username, phone or email is taken."""
        user = User(secrets.token_hex(16), **columns)
        try:
            with self._engine.begin() as connection:
                connection.execute(users.insert().values(**vars(user)))
        except IntegrityError:
            return None
        return user

    def anonymous(self, app_id: str, phone_id: str, lang: str) -> User:
        """The user of that phone, made when it is seen for the first time."""
        known = self._find(users.c.app_id == app_id, users.c.phone_id == phone_id)
        if known is not None:
            return known
        # Refused when another process was faster; then it is there.
        return self.add(app_id=app_id, phone_id=phone_id, lang=lang) or self.anonymous(app_id, phone_id, lang)

    def of_third_party(self, src: str, third_uid: str, lang: str) -> User:
        """The user of that account with another company, made when it is seen for the first time."""
        mine = (third_parties.c.src == src) & (third_parties.c.third_uid == third_uid)
        query = select(*_COLUMNS).join_from(users, third_parties).where(mine)
        user = User(secrets.token_hex(16), lang=lang)
        try:
            with self._engine.begin() as connection:
                row = connection.execute(query).first()
                if row is not None:
                    return User(*row)
                connection.execute(users.insert().values(**vars(user)))
                connection.execute(third_parties.insert().values(src=src, third_uid=third_uid, uid=user.uid))
        except IntegrityError:
            return self.of_third_party(src, third_uid, lang)
        return user

    def get(self, uid: str) -> User | None:
        return self._find(users.c.uid == uid)

    def by_phone(self, phone: str) -> User | None:
        return self._find(users.c.phone == phone)

    def by_email(self, email: str) -> User | None:
        return self._find(users.c.email == email.lower())

    def by_name(self, name: str) -> User | None:
        """Who logs in with that phone, address or username; a phone was checked, so it goes before a chosen name."""
        return self.by_phone(name) or self.by_email(name) or self._find(users.c.username == name)

    def change(self, uid: str, **columns: Any) -> bool:
        """Changes some columns; False when the username, phone or email is taken."""
        try:
            with self._engine.begin() as connection:
                connection.execute(update(users).where(users.c.uid == uid).values(**columns))
        except IntegrityError:
            return False
        return True

    def set_password(self, uid: str, password_hash: str, keep: str = "") -> None:
        """A new password; every token ends but the one whose hash is `keep`."""
        with self._engine.begin() as connection:
            connection.execute(update(users).where(users.c.uid == uid).values(password_hash=password_hash))
            connection.execute(delete(tokens).where(tokens.c.uid == uid, tokens.c.token_hash != keep))

    def issue_token(self, uid: str, expire_at: int) -> str:
        """A new token of that user. It is told once, here, and cannot be read back."""
        token = secrets.token_hex(16)
        with self._engine.begin() as connection:
            connection.execute(tokens.insert().values(token_hash=hash_of(token), uid=uid, expire_at=expire_at))
        return token

    def by_token(self, token: str) -> tuple[User, int] | None:
        """The user of a token and when it expires (or has expired); None when nobody has it."""
        query = select(*_COLUMNS, tokens.c.expire_at).join_from(users, tokens)
        with self._engine.begin() as connection:
            row = connection.execute(query.where(tokens.c.token_hash == hash_of(token))).first()
        return (User(*row[:-1]), row[-1]) if row else None

    def has_token(self, uid: str, token_hash: str, now: float) -> bool:
        """Whether that user has the token of this hash, and it is not over."""
        mine = (tokens.c.uid == uid) & (tokens.c.token_hash == token_hash) & (tokens.c.expire_at > now)
        with self._engine.begin() as connection:
            return connection.execute(select(tokens.c.uid).where(mine)).first() is not None

    def end_token(self, token_hash: str) -> None:
        """That token is of no use any more."""
        with self._engine.begin() as connection:
            connection.execute(delete(tokens).where(tokens.c.token_hash == token_hash))

    def _find(self, *conditions: ColumnElement[bool]) -> User | None:
        with self._engine.begin() as connection:
            return find(connection, *conditions)


def find(connection: Connection, *conditions: ColumnElement[bool]) -> User | None:
    """The one user for whom the conditions hold."""
    row = connection.execute(select(*_COLUMNS).where(*conditions)).first()
    return User(*row) if row else None


def hash_of(token: str) -> str:
    """What of a token is stored."""
    return hashlib.sha256(token.encode()).hexdigest()
