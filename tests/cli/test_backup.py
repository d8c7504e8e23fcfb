"""`backup`, `restore` and `migrate`: what was saved comes back, whole or not at all, in either kind of database."""

import json
import sqlite3
from pathlib import Path

import pytest

from escalatord.store.store import Store
from escalatord.store.tables import SCHEMA_VERSION
from tests.cli.conftest import Run
from tests.store.samples import entry, incident


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A database with a little history."""
    path = tmp_path / "escalatord.db"
    store = Store(f"sqlite:///{path}", ballast_bytes=0)
    store.open()
    store.write(lambda tx: (tx.save([incident(*tx.next_numbers(1))]), tx.append([entry(1), entry(1, "note")])))
    store.close()
    return path


@pytest.mark.parametrize("name", ["night.db", "night.jsonl.gz"])
def test_a_backup_beside_the_daemon_comes_back(run: Run, place: Path, tmp_path: Path, name: str) -> None:
    """Taken while the daemon has the database open, for its owner only; restored, its journal is whole."""
    daemon = Store(f"sqlite:///{place}", ballast_bytes=0)
    daemon.open()
    try:
        saved = run("backup", str(tmp_path / name), "--storage.path", str(place))
    finally:
        daemon.close()
    assert (saved.exit_code, saved.output) == (
        0,
        f"Saved 1 incidents and 2 journal entries to {tmp_path / name}.\n",
    ), saved.output
    assert (tmp_path / name).stat().st_mode & 0o777 == 0o600
    back = run("restore", str(tmp_path / name), "--storage.path", str(tmp_path / "new.db"))
    assert back.exit_code == 0, back.output
    assert "Every chain of the journal is whole." in back.output
    assert sorted(path.name for path in tmp_path.iterdir() if "partial" in path.name or "restore" in path.name) == []


@pytest.mark.parametrize("name", ["night.db", "night.jsonl.gz"])
def test_a_site_moves_from_sqlite_to_postgresql(run: Run, place: Path, tmp_path: Path, server, name: str) -> None:
    """History and numbers go with it, and from there it can be saved and brought back again."""
    address = server.make_database()
    run("backup", str(tmp_path / name), "--storage.path", str(place))
    moved = run("restore", str(tmp_path / name), "--storage.url", address)
    assert moved.exit_code == 0, moved.output
    store = Store(address)
    store.open()
    assert store.read(lambda tx: (list(tx.load([1])), tx.verify(1))) == ([1], True)
    assert store.write(lambda tx: tx.next_numbers(1)) == [2]
    store.close()
    saved = run("backup", str(tmp_path / "moved.gz"), "--storage.url", address)
    assert "1 incidents and 2 journal entries" in saved.output, saved.output
    assert run("restore", str(tmp_path / "moved.gz"), "--storage.path", str(tmp_path / "b.db")).exit_code == 0


def test_a_broken_chain_is_told(run: Run, place: Path, tmp_path: Path) -> None:
    """What was forged before the backup is forged in it; everything comes back, and it is said."""
    with sqlite3.connect(place) as connection:
        connection.execute("UPDATE journal SET actor = 'eve' WHERE seq = 1")
    connection.close()
    run("backup", str(tmp_path / "a.gz"), "--storage.path", str(place))
    back = run("restore", str(tmp_path / "a.gz"), "--storage.path", str(tmp_path / "b.db"))
    assert back.exit_code == 1
    assert "1 chains of the journal are not whole, as in the backup: 1." in back.output


def test_what_cannot_be_saved_or_restored_is_a_sentence(run: Run, place: Path, tmp_path: Path) -> None:
    """No traceback, exit 1, and nothing is left behind."""
    (tmp_path / "there.gz").touch()
    (tmp_path / "text.gz").write_text("no backup")
    asked = [
        (("backup", str(tmp_path / "there.gz"), "--storage.path", str(place)), "There is a file"),
        (("backup", str(tmp_path / "x.gz"), "--storage.path", str(tmp_path / "no.db")), "cannot be read"),
        (("backup", str(tmp_path / "x.db"), "--storage.path", str(tmp_path / "no.db")), "There is no database"),
        (("backup", str(tmp_path / "no" / "x.db"), "--storage.path", str(place)), "cannot be"),
        (("restore", str(tmp_path / "text.gz"), "--storage.path", str(tmp_path / "y.db")), "cannot be read"),
        (("restore", str(tmp_path / "there.gz"), "--storage.path", str(place)), "not empty"),
        (("backup", str(tmp_path / "z.gz"), "--storage.url", "postgresql://ana:hunter2@127.0.0.1:1/x"), "127.0.0.1"),
        (("migrate", "--storage.url", "postgresql://ana:hunter2@127.0.0.1:1/x"), "cannot be opened now"),
    ]
    for words, say in asked:
        result = run(*words)
        assert (result.exit_code, say in result.output, "hunter2" in result.output) == (1, True, False), result.output
    left = {path.name for path in tmp_path.iterdir()} - {"escalatord.db.lock", "y.db", "y.db.lock"}
    assert {name for name in left if name.endswith((".partial", ".gz"))} == {"there.gz", "text.gz"}


def test_migrate_says_what_it_did(run: Run, tmp_path: Path, server) -> None:
    """An empty database gets its schema, one that has it is left as it is."""
    for flags in (["--storage.path", str(tmp_path / "x.db")], ["--storage.url", server.make_schema()]):
        first, second = run("migrate", *flags), run("migrate", *flags)
        assert (first.exit_code, first.output.split()[:2]) == (0, ["Made", "schema"]), first.output
        assert (second.exit_code, "already" in second.output) == (0, True), second.output


def test_tokens_are_made_in_a_shared_database_too(run: Run, server) -> None:
    """The same verbs; the address is shown without its password."""
    address = server.make_schema().replace("escalatord@", "escalatord:hunter2@")
    made = run("token", "create", "ana", "--role", "viewer", "--storage.url", address)
    assert made.exit_code == 0, made.output
    assert "hunter2" not in made.output
    assert run("token", "list", "--storage.url", address).output.split()[:2] == ["ana", "viewer"]


def test_all_of_them_answer_in_json(run: Run, place: Path, tmp_path: Path) -> None:
    """For scripts: how much there was, and which chains are broken."""
    file, new = tmp_path / "a.gz", tmp_path / "b.db"
    told = [
        json.loads(run("backup", str(file), "--storage.path", str(place), "--json").stdout),
        json.loads(run("restore", str(file), "--storage.path", str(new), "--json").stdout),
        json.loads(run("migrate", "--storage.path", str(new), "--json").stdout),
    ]
    assert told == [
        {"file": str(file), "incidents": 1, "journal_entries": 2},
        {"incidents": 1, "journal_entries": 2, "broken_chains": []},
        {"before": SCHEMA_VERSION, "schema": SCHEMA_VERSION},
    ]
