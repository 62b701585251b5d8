"""From each version of the tables to the next, one step per version, with what a running installation has in them.

A step is written once and never changed afterwards: it uses no definition of `tables`, which moves on. A new column of
an old table has a server default, so that old rows have a value.
"""

from collections.abc import Callable

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, text

from .migration_2 import upgrade as _to_2
from .migration_3 import upgrade as _to_3

# The version it leads to -> the step.
STEPS: dict[int, Callable[[Operations], None]] = {2: _to_2, 3: _to_3}


def upgrade(connection: Connection, version: int, wanted: int) -> None:
    """Takes the tables from `version` to `wanted` within the transaction of `connection`."""
    operations = Operations(MigrationContext.configure(connection))
    for step in range(version + 1, wanted + 1):
        STEPS[step](operations)
    connection.execute(text("UPDATE schema_info SET version = :version"), {"version": wanted})
