"""Who runs this cloud: the password of the operator's pages in the web console, as argon2id."""

from sqlalchemy import Engine, delete, select

from .tables import operators


class Operators:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def password_hash(self) -> str | None:
        """None while no password is set: nobody is let in then."""
        with self._engine.begin() as connection:
            return connection.execute(select(operators.c.password_hash)).scalar()

    def set_password_hash(self, password_hash: str) -> None:
        """From now on; whoever came in with the older one is out."""
        with self._engine.begin() as connection:
            connection.execute(delete(operators))
            connection.execute(operators.insert().values(password_hash=password_hash))
