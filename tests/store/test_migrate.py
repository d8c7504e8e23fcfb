"""Schemas: made anew or upgraded they are the same, and what is not ours or too new is refused."""

import re
import sqlite3

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine
from sqlalchemy.exc import OperationalError

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


def change(store: Store, sql: str) -> None:
    """Change a closed store's file by hand."""
    store.close()
    with sqlite3.connect(store.path) as connection:
        connection.execute(sql)
    connection.close()


def test_a_newer_database_is_refused(store, open_store):
    """Old code must not write into a schema it does not know; the file is left as it is."""
    change(store, "UPDATE alembic_version SET version_num = '9999'")
    for _ in range(2):
        with pytest.raises(StoreRefusedError, match="9999"):
            open_store()


def test_a_database_that_lost_its_version_is_refused(store, open_store):
    """Guessing a schema is worse than asking."""
    change(store, "DELETE FROM alembic_version")
    with pytest.raises(StoreRefusedError, match="does not say"):
        open_store()


def test_somebody_elses_database_is_refused(tmp_path):
    """Tables of another program are not ours to extend."""
    with sqlite3.connect(tmp_path / "x.db") as connection:
        connection.execute("CREATE TABLE theirs (id INTEGER)")
    connection.close()
    with pytest.raises(StoreRefusedError, match="another program"):
        Store(f"sqlite:///{tmp_path}/x.db").open()


def test_an_older_database_is_upgraded_whole_or_not_at_all(store, open_store, monkeypatch):
    """An upgrade that fails leaves the schema it found."""
    store.close()

    def half(connection):
        connection.exec_driver_sql("CREATE TABLE half (id INTEGER)")
        raise RuntimeError("power cut")

    monkeypatch.setattr(migrate, "SCHEMA_VERSION", "9998")
    monkeypatch.setattr(migrate, "upgrade", half)
    with pytest.raises(RuntimeError, match="power cut"):
        open_store()
    monkeypatch.undo()
    again = open_store()
    tables = again.read(lambda tx: tx._connection.exec_driver_sql("SELECT name FROM sqlite_master").scalars().all())
    assert "half" not in tables


def test_an_upgrade_at_the_end_changes_nothing(store):
    """Running migrations on the newest schema is harmless."""
    store.write(lambda tx: (tx.set_setting("a", "b"), migrate.upgrade(tx._connection)))
    assert store.read(lambda tx: tx.setting("a")) == "b"


def test_a_migration_with_a_defect_is_not_called_trouble(tmp_path, monkeypatch):
    """Wrong SQL in a migration is raised as it is, and the lock is free again."""
    store = Store(f"sqlite:///{tmp_path}/x.db", ballast_bytes=4096)
    monkeypatch.setattr(migrate, "create", lambda connection: connection.exec_driver_sql("CREATE NONSENSE"))
    with pytest.raises(OperationalError, match="syntax"):
        store.open()
    monkeypatch.undo()
    store.open()
    store.close()
