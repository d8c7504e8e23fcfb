"""`escalatord backup`, `restore` and `migrate`: the whole database as a file, back again, and up to date.

They work on the database itself, as `token` does. A backup is taken beside a daemon at work; a restore goes into an
empty database of either kind, which is also the way from SQLite to PostgreSQL.
"""

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NoReturn

import click
from sqlalchemy import Connection, make_url

from escalatord import __version__
from escalatord.cli import options, output
from escalatord.cli.client import NegativeError
from escalatord.errors import StoreRefusedError, StoreUnavailableError
from escalatord.store import copying, migrate
from escalatord.store.copying import Copied
from escalatord.store.peek import peek
from escalatord.store.store import Store
from escalatord.store.tables import SCHEMA_VERSION

SQLITE_MAGIC = b"SQLite format 3\x00"
PORTABLE = ".gz"
PAGES_AT_ONCE = 1_000
BROKEN_NAMED_MAX = 10


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@options.storage_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def backup(file: Path, storage_url: str | None, storage_path: Path | None, as_json: bool) -> None:
    """Save the whole database to FILE, beside a daemon at work.

    A name that ends in .gz makes a portable backup, which can be restored into either kind of database; PostgreSQL
    always gives one. Any other name makes a copy of the SQLite file. It holds secrets and names: FILE gets mode 600.
    """
    place = options.storage_address(storage_url, storage_path)
    if file.exists():
        raise NegativeError(f"There is a file {file} already.")
    with _told(), _new_file(file) as partial:
        is_file = make_url(place).get_backend_name() == "sqlite"
        if is_file and file.suffix != PORTABLE:
            copied = _copy_file(Path(make_url(place).database or ""), partial)
        else:
            copied = peek(place, lambda tx: copying.save(tx.connection, partial, __version__))
    if as_json:
        output.say_json({"file": str(file), "incidents": copied.incidents, "journal_entries": copied.entries})
    else:
        output.say(f"Saved {_size(copied)} to {file}.")


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@options.storage_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def restore(file: Path, storage_url: str | None, storage_path: Path | None, as_json: bool) -> None:
    """Make the database that was saved in FILE, in an empty one, and check every chain of its journal.

    From a backup of SQLite into PostgreSQL this moves a site that has outgrown one process: history, numbers, links
    that were sent and open incidents go on.
    """
    place = options.storage_address(storage_url, storage_path)
    with _told(), _portable(file) as portable:
        store = Store(place)
        made: list[Copied] = []
        try:
            store.open(lambda connection: made.append(copying.restore(connection, portable)))
            broken = store.read(
                lambda tx: [number for number in copying.chains(tx.connection) if not tx.verify(number)]
            )
        finally:
            store.close()
    whole = "Every chain of the journal is whole."
    if broken:
        named = ", ".join(map(str, broken[:BROKEN_NAMED_MAX]))
        whole = f"{len(broken)} chains of the journal are not whole, as in the backup: {named}."
    if as_json:
        told = {"incidents": made[0].incidents, "journal_entries": made[0].entries, "broken_chains": broken}
        output.say_json(told)
    else:
        output.say(f"Restored {_size(made[0])} into {store.database.name}.")
        output.say(whole)
    if broken:
        raise SystemExit(NegativeError.exit_code)


@click.command("migrate")
@options.storage_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def migrate_(storage_url: str | None, storage_path: Path | None, as_json: bool) -> None:
    """Bring the database to the schema of this release.

    `serve` does so by itself. Where its account may not, run this before, as one who may: first one node does it, the
    others wait, and nodes of the release before go on meanwhile.
    """
    place = options.storage_address(storage_url, storage_path)
    found: list[str | None] = []

    def look_and_prepare(connection: Connection) -> None:
        found.append(migrate.stored_version(connection))
        migrate.prepare(connection)

    with _told():
        store = Store(place)
        try:
            store.open(look_and_prepare)
        finally:
            store.close()
    before, name = found[0], store.database.name
    if as_json:
        output.say_json({"before": before, "schema": max(before or "", SCHEMA_VERSION)})
    elif before is None:
        output.say(f"Made schema {SCHEMA_VERSION} in {name}.")
    elif before < SCHEMA_VERSION:
        output.say(f"Upgraded {name} from schema {before} to {SCHEMA_VERSION}.")
    else:
        output.say(f"{name} has schema {before} already.")


@contextmanager
def _told() -> Iterator[None]:
    """Turn trouble with the database into a sentence and exit 1."""
    try:
        yield
    except (StoreRefusedError, StoreUnavailableError) as error:
        raise NegativeError(str(error)) from None


@contextmanager
def _new_file(path: Path) -> Iterator[Path]:
    """Give a place beside `path` for its content; only what ended well takes its name, and is on the disk then."""
    partial = path.with_name(path.name + ".partial")
    try:
        partial.unlink(missing_ok=True)
        before = os.umask(0o077)
        try:
            yield partial
        finally:
            os.umask(before)
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        _refuse(path, error)
    finally:
        partial.unlink(missing_ok=True)


def _refuse(path: Path, error: OSError) -> NoReturn:
    raise NegativeError(f"{path} cannot be written: {error.strerror}") from None


def _copy_file(source: Path, target: Path) -> Copied:
    """Copy a database page by page while others use it; what they write meanwhile is in it too."""
    if not source.is_file():
        raise NegativeError(f"There is no database {source}. Give --storage.path as the daemon has it.")
    try:
        with (
            closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as there,
            closing(sqlite3.connect(target)) as here,
        ):
            there.backup(here, pages=PAGES_AT_ONCE)
            here.execute("PRAGMA journal_mode=DELETE").close()  # one file, nothing beside it
            (held,) = here.execute("SELECT count(*) FROM incidents").fetchone()
            (entries,) = here.execute("SELECT count(*) FROM journal").fetchone()
            return Copied(rows={"incidents": held, "journal": entries})
    except sqlite3.Error as error:
        raise NegativeError(f"{source} cannot be copied: {error}") from None


@contextmanager
def _portable(file: Path) -> Iterator[Path]:
    """Give a portable backup of whatever `file` is: the same, or one made of a copy of a SQLite file."""
    with file.open("rb") as opened:
        is_database = opened.read(len(SQLITE_MAGIC)) == SQLITE_MAGIC
    if not is_database:
        yield file
        return
    with tempfile.TemporaryDirectory(dir=file.absolute().parent, prefix=".escalatord-restore-") as folder:
        # opened where it may be upgraded: the backup itself stays as it is
        copy, portable = Path(folder) / "copy.db", Path(folder) / "portable.gz"
        _copy_file(file, copy)
        store = Store(f"sqlite:///{copy}", ballast_bytes=0)
        try:
            store.open()
            store.read(lambda tx: copying.save(tx.connection, portable, __version__))
        finally:
            store.close()
        yield portable


def _size(copied: Copied) -> str:
    return f"{copied.incidents:,} incidents and {copied.entries:,} journal entries"
