"""Which schema a database has, and how it gets the newest one.

Alembic is imported where there is something to migrate: it takes 0.1 s of the processor, and
7 MB.
"""

from typing import TYPE_CHECKING

from sqlalchemy import Connection, column, inspect, select, table

from myapp.infrastructure.database.errors import StorageOutdated, UnsupportedStorage
from myapp.infrastructure.database.sql.schema import SCHEMA, todo_store

if TYPE_CHECKING:
    from alembic.config import Config

_MIGRATIONS = "myapp.infrastructure.database.sql:migrations"
_VERSIONS = table("alembic_version", column("version_num"))


def schema_of(connection: Connection) -> str | None:
    """Answer the number of the database's schema, None if it has none of our tables."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(select(_VERSIONS.c.version_num)).scalar()


def suffices(schema: str | None) -> bool:
    """Whether tables of this schema have all that this release needs."""
    return schema is not None and schema >= SCHEMA


def check_schema(connection: Connection, place: str) -> None:
    """Raise StorageOutdated or UnsupportedStorage unless this release can use the tables.

    A newer schema will do as long as what this release needs of it is there still.
    """
    schema = schema_of(connection)
    if not suffices(schema):
        raise StorageOutdated(place, schema, SCHEMA)
    oldest = connection.execute(select(todo_store.c.oldest_schema)).scalar_one()
    if oldest > SCHEMA:
        raise UnsupportedStorage(
            f"{place} has schema {schema}, which releases before that of schema {oldest}"
            f" cannot use; this one knows schema {SCHEMA}: start a newer release."
        )


def upgrade(connection: Connection, schema: str = "head") -> None:
    """Bring the tables to a schema, within the transaction that the connection is in.

    Those that have a later one than this release knows stay as they are.
    """
    if not suffices(schema_of(connection)):
        from alembic import command

        command.upgrade(_config(connection), schema)


def downgrade(connection: Connection, schema: str) -> None:
    """Take the tables back to an older schema ("base": to none), losing what that lacks."""
    from alembic import command

    command.downgrade(_config(connection), schema)


def _config(connection: Connection) -> "Config":
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", _MIGRATIONS)
    return config
