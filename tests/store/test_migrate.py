"""Schemas: made anew or upgraded they are the same, and what is not ours or too new is refused."""

import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect, make_url
from sqlalchemy.exc import OperationalError, ProgrammingError

from escalatord.errors import StoreRefusedError
from escalatord.store import migrate
from escalatord.store.store import Store
from escalatord.store.tables import SCHEMA_VERSION, metadata


def schema(path, prepare) -> list[tuple[str, ...]]:
    """Return what a database file holds after `prepare`, blanks evened out."""
    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        with connection.begin():
            prepare(connection)
        listing = connection.exec_driver_sql("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY 1, 2").all()
        rows = [(kind, name, table, re.sub(r"\s+", " ", sql or "")) for kind, name, table, sql in listing]
        version = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one()
    engine.dispose()
    return [*rows, ("version", version)]


def test_migrated_schema_equals_fresh_schema(tmp_path):
    """A database that grew up through every release is the one that a new installation makes."""
    fresh, migrated = schema(tmp_path / "a.db", migrate.create), schema(tmp_path / "b.db", migrate.upgrade)
    assert fresh == migrated
    assert len(metadata.tables) < len(fresh)


def test_schema_version_is_the_last_migration():
    """The number in the code is the one that Alembic would go to."""
    config = Config()
    config.set_main_option("script_location", str(migrate.MIGRATIONS))
    config.set_main_option("path_separator", "os")
    scripts = ScriptDirectory.from_config(config)
    assert scripts.get_current_head() == SCHEMA_VERSION
    revisions = [script.revision for script in scripts.walk_revisions()]
    assert sorted(revisions, reverse=True) == revisions, "versions are compared as text"


def schema_of_postgres(address, prepare) -> list[tuple[object, ...]]:
    """Return what a PostgreSQL schema holds after `prepare`: columns, indexes, sequences, constraints."""
    engine = create_engine(make_url(address).set(drivername="postgresql+psycopg"))
    asked = (
        """SELECT table_name, column_name, data_type, character_maximum_length, is_nullable, column_default IS NULL
        FROM information_schema.columns WHERE table_schema = current_schema() ORDER BY 1, 2""",
        """SELECT tablename, indexname, replace(indexdef, schemaname || '.', '') FROM pg_indexes
        WHERE schemaname = current_schema() ORDER BY 1, 2""",
        """SELECT sequencename, data_type::text FROM pg_sequences WHERE schemaname = current_schema() ORDER BY 1""",
        """SELECT conname, contype::text FROM pg_constraint
        WHERE connamespace = current_schema()::regnamespace ORDER BY 1""",
    )
    with engine.begin() as connection:
        prepare(connection)
        found = [tuple(row) for text in asked for row in connection.exec_driver_sql(text)]
    engine.dispose()
    return found


def test_migrated_schema_equals_fresh_schema_on_postgres(server):
    """The same holds where several nodes share it, sequences included."""
    fresh = schema_of_postgres(server.make_schema(), migrate.create)
    assert fresh == schema_of_postgres(server.make_schema(), migrate.upgrade)
    assert ("incident_numbers", "bigint") in fresh


def change(store: Store, sql: str) -> None:
    """Change a database by hand, and close it."""
    store.write(lambda tx: tx._connection.exec_driver_sql(sql))
    store.close()


def test_a_newer_database_is_refused(store, open_store):
    """Old code must not write into a schema it does not know; the database is left as it is."""
    store.write(lambda tx: tx.set_setting(migrate.SERVES_SETTING, "9998"))
    change(store, "UPDATE alembic_version SET version_num = '9999'")
    for _ in range(2):
        with pytest.raises(StoreRefusedError, match="9999"):
            open_store()


def test_a_newer_database_that_serves_this_release_is_taken(store, open_store):
    """While nodes are upgraded one after the other, the old ones may go on and start again; the schema stays."""
    change(store, "UPDATE alembic_version SET version_num = '9999'")
    again = open_store()
    again.write(lambda tx: tx.set_setting("a", "b"))
    assert again.read(lambda tx: migrate.stored_version(tx._connection)) == "9999"


def test_a_newer_database_that_says_nothing_is_refused(store, open_store):
    """What does not say that it serves us does not."""
    store.write(lambda tx: tx._connection.exec_driver_sql("DELETE FROM settings"))
    change(store, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreRefusedError, match="9999"):
        open_store()


def test_a_database_that_lost_its_version_is_refused(store, open_store):
    """Guessing a schema is worse than asking."""
    change(store, "DELETE FROM alembic_version")
    with pytest.raises(StoreRefusedError, match="does not say"):
        open_store()


def test_somebody_elses_database_is_refused(url, open_store):
    """Tables of another program are not ours to extend."""
    parsed = make_url(url)
    engine = create_engine(parsed.set(drivername="postgresql+psycopg") if "postgres" in url else parsed)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE theirs (id INTEGER)")
    engine.dispose()
    with pytest.raises(StoreRefusedError, match="another program"):
        open_store()


def test_an_older_database_is_upgraded_whole_or_not_at_all(store, open_store, monkeypatch):
    """An upgrade that fails leaves the schema it found."""
    store.close()

    def half(connection):
        connection.exec_driver_sql("CREATE TABLE half (id INTEGER)")
        raise RuntimeError("power cut")

    monkeypatch.setattr(migrate, "SCHEMA_VERSION", "9999")
    monkeypatch.setattr(migrate, "upgrade", half)
    with pytest.raises(RuntimeError, match="power cut"):
        open_store()
    monkeypatch.undo()
    again = open_store()
    assert "half" not in again.read(lambda tx: inspect(tx._connection).get_table_names())


def test_an_upgrade_at_the_end_changes_nothing(store):
    """Running migrations on the newest schema is harmless."""
    store.write(lambda tx: (tx.set_setting("a", "b"), migrate.upgrade(tx._connection)))
    assert store.read(lambda tx: tx.setting("a")) == "b"


def test_a_migration_with_a_defect_is_not_called_trouble(url, monkeypatch):
    """Wrong SQL in a migration is raised as it is, and the database can be opened again."""
    store = Store(url, ballast_bytes=4096)
    monkeypatch.setattr(migrate, "create", lambda connection: connection.exec_driver_sql("CREATE NONSENSE"))
    with pytest.raises((OperationalError, ProgrammingError), match="syntax"):
        store.open()
    monkeypatch.undo()
    store.open()
    store.close()


def test_many_nodes_may_start_at_once_on_an_empty_database(server):
    """Five come at once: one makes the schema, the others wait for it, and all can work."""
    address = server.make_schema()
    stores = [Store(address) for _ in range(5)]
    with ThreadPoolExecutor(5) as pool:
        list(pool.map(Store.open, stores))
        list(pool.map(lambda store: store.settle(lambda tx: tx.set_setting("a", "b")), stores))
    assert [store.read(lambda tx: tx.setting("a")) for store in stores] == ["b"] * 5
    for store in stores:
        store.close()
