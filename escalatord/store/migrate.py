"""Brings a database to the schema of this release, or refuses it.

Nodes are upgraded one after the other, so the old release has to run on the schema of the new one for a while: each
schema says which oldest one's code it still serves. Anything else that is newer is refused.

Alembic is imported only when there is something to upgrade: a start with the right schema, and the making of a new
database, do without it. That a new database equals an upgraded one is proved by a test. All of it happens in the
caller's transaction.
"""

from pathlib import Path

from sqlalchemy import Column, Connection, MetaData, String, Table, bindparam, insert, inspect, select

from escalatord.errors import StoreRefusedError
from escalatord.store.sql import insert_or_replace
from escalatord.store.tables import SCHEMA_SERVES, SCHEMA_VERSION, metadata, settings

SERVES_SETTING = "schema_serves"
MIGRATIONS = Path(__file__).parent / "migrations"

# The table in which Alembic keeps its place, as Alembic makes it.
version_table = Table(
    "alembic_version",
    MetaData(naming_convention={"pk": "alembic_version_pkc"}),
    Column("version_num", String(32), primary_key=True),
)


def prepare(connection: Connection) -> None:
    """Create or upgrade the schema; StoreRefusedError when the database is too new for this release, or not ours."""
    found = stored_version(connection)
    if found == SCHEMA_VERSION:
        return
    if found is None:
        create(connection)
    elif found < SCHEMA_VERSION:
        upgrade(connection)
    elif not _serves_us(connection):
        raise StoreRefusedError(
            f"the database has schema {found}, newer than {SCHEMA_VERSION} of this release; "
            "run the newer escalatord, or restore a backup from before its upgrade"
        )


def stored_version(connection: Connection) -> str | None:
    """Return the schema version in the database, None when it is empty; StoreRefusedError when it is not ours."""
    names = inspect(connection).get_table_names()
    if not names:
        return None
    if version_table.name not in names:
        raise StoreRefusedError("the database holds tables of another program; give escalatord a file of its own")
    version: str | None = connection.execute(select(version_table.c.version_num)).scalar()
    if version is None:
        raise StoreRefusedError("the database does not say which schema it has; restore a backup")
    return version


def create(connection: Connection) -> None:
    """Make the schema in an empty database."""
    metadata.create_all(connection, checkfirst=False)
    version_table.create(connection, checkfirst=False)
    connection.execute(insert(version_table), {"version_num": SCHEMA_VERSION})
    _say_whom_it_serves(connection)


def upgrade(connection: Connection, to: str = "head") -> None:
    """Run the migrations that are missing, up to the newest or to that one."""
    from alembic import command  # noqa: PLC0415 a tenth of a second that a normal start does not pay
    from alembic.config import Config  # noqa: PLC0415 as above

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, to)
    if to == "head":
        _say_whom_it_serves(connection)


def _say_whom_it_serves(connection: Connection) -> None:
    statement = insert_or_replace(connection, settings)
    connection.execute(statement, {"name": SERVES_SETTING, "value": SCHEMA_SERVES})


def _serves_us(connection: Connection) -> bool:
    """Return whether the newer release that made this schema says that ours may run on it meanwhile."""
    asked = select(settings.c.value).where(settings.c.name == bindparam("wanted"))
    oldest: str | None = connection.execute(asked, {"wanted": SERVES_SETTING}).scalar()
    return oldest is not None and oldest <= SCHEMA_VERSION
