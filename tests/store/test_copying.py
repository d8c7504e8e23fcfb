"""A whole database as a file: everything is in it, of either kind and into either kind, or it is not believed."""

import gzip
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from escalatord.core.schedule import Override
from escalatord.errors import StoreRefusedError
from escalatord.store import copying, migrate
from escalatord.store.rows import CodeRow, DeadLetter, LinkRow, TokenRow
from escalatord.store.store import Store
from escalatord.store.tables import metadata
from tests.store.samples import NOW, alert, attempt, entry, incident, minutes, policy, resolved, verdict

BACKENDS = ("sqlite", "postgresql")


@pytest.fixture(params=BACKENDS)
def elsewhere(request, tmp_path) -> str:
    """Return the address of another empty database, of either kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'elsewhere.db'}"
    return request.getfixturevalue("server").make_schema()


def fill(tx) -> None:
    """Put something into every table that is copied."""
    numbers = tx.next_numbers(3)
    first, second = incident(numbers[0]), resolved(incident(numbers[1]))
    tx.save([first, second])
    tx.save_alerts([(alert("f1", incident=first.number), verdict()), (alert("f2", labels={"a": "Zoë 🦊"}), None)])
    tx.append([entry(first.number), entry(first.number, "note"), entry(second.number), entry(0, "config_loaded")])
    tx.outbox_add([attempt("a"), attempt("b", late=True)])
    tx.pin([policy()])
    tx.assign_codes([CodeRow(person="ana", code="7Q", incident=first.number, track="technical")])
    tx.add_links([LinkRow(token_hash="h", incident=first.number, person="ana", channel="sms", track="technical")])
    tx.set_unreachable("bo", "sms", "STOP", NOW)
    letter = DeadLetter(id=0, at=NOW, source="am", code="E101", at_pointer="", say="cut", body=bytes(range(256)))
    tx.dead_letter(letter)
    tx.add_token(TokenRow(name="ana", role="admin", token_hash="x", created_at=NOW))
    tx.set_setting("server_secret", "s3")
    tx.set_checkpoint(2, {"version": 1})
    tx.add_override(Override(schedule="first", person="bo", start=minutes(5), end=minutes(9), why="dentist", by="ana"))


def everything(store: Store) -> dict[str, list[tuple[object, ...]]]:
    """Return all rows of all tables that are copied, by table."""
    tables = [table for table in metadata.sorted_tables if table.name not in copying.LEFT_BEHIND]

    def look(tx):
        rows = {t.name: [tuple(row) for row in tx.connection.execute(select(t))] for t in tables}
        return {name: sorted(found, key=repr) for name, found in rows.items()}

    found = store.read(look)
    found["counters"] = [row for row in found["counters"] if row[0] != "incident"]
    return found


def copied(store: Store, path) -> copying.Copied:
    """Save a store to `path`."""
    return store.read(lambda tx: copying.save(tx.connection, path, "0.1.0"))


def opened(address: str, path) -> Store:
    """Restore `path` into a new database and return it open."""
    store = Store(address, ballast_bytes=4096)
    store.open(lambda connection: copying.restore(connection, path))
    return store


def test_everything_is_copied_and_numbers_go_on(store, elsewhere, tmp_path):
    """Every row of every table is the same in the other database, chains verify, and no number comes again."""
    store.write(fill)
    path = tmp_path / "backup.gz"
    assert (copied(store, path).incidents, copied(store, tmp_path / "again.gz").entries) == (2, 4)
    other = opened(elsewhere, path)
    try:
        assert everything(store) == everything(other)
        assert other.read(lambda tx: copying.chains(tx.connection)) == [0, 1, 2]
        assert all(other.read(lambda tx: [tx.verify(number) for number in copying.chains(tx.connection)]))
        assert other.write(lambda tx: tx.next_numbers(1)) == [4], "three were given out, though two were used"
        assert other.write(lambda tx: tx.append([entry(1, "note")])) == 5
        assert other.write(lambda tx: tx.due(minutes(6), 10))[0].version == 1
    finally:
        other.close()


@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_whatever_text_there_is_survives_both_ways(tmp_path_factory, server, data):
    """SQLite to PostgreSQL and back gives the same rows: names, notes and labels are whatever people write."""
    words = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
    folder = tmp_path_factory.mktemp("copy")
    store = Store(f"sqlite:///{folder}/a.db", ballast_bytes=0)
    store.open()
    names = data.draw(st.lists(words, min_size=1, max_size=5, unique=True))
    store.write(lambda tx: tx.append([entry(1, actor=name, body={"say": name}) for name in names]))
    store.write(lambda tx: [tx.set_setting(f"n{name}", name) for name in names])
    copied(store, folder / "a.gz")
    middle = opened(server.make_schema(), folder / "a.gz")
    copied(middle, folder / "b.gz")
    back = opened(f"sqlite:///{folder}/b.db", folder / "b.gz")
    try:
        assert everything(store) == everything(middle) == everything(back)
        assert back.read(lambda tx: tx.verify(1))
    finally:
        for each in (store, middle, back):
            each.close()


def test_a_database_that_is_not_empty_is_refused(store, url, tmp_path, open_store):
    """Two histories must not be mixed; what was there stays."""
    store.write(fill)
    path = tmp_path / "backup.gz"
    copied(store, path)
    before = everything(store)
    store.close()
    with pytest.raises(StoreRefusedError, match="not empty"):
        opened(url, path)
    again = open_store()
    assert before == everything(again)


def lines_of(path) -> list[bytes]:
    """Return the lines of a backup."""
    with gzip.open(path) as file:
        return file.readlines()


@pytest.mark.parametrize(
    ("spoil", "say"),
    [
        (lambda lines: lines[:-1], "not a whole backup"),
        (lambda lines: [*lines[:3], *lines[4:]], "not a whole backup"),
        (lambda lines: [lines[0].replace(b"0.1.0", b"0.1.1"), *lines[1:]], "not a whole backup"),
        (lambda lines: [b"{}\n"], "not a whole backup"),
        (lambda lines: [], "not a whole backup"),
        (lambda lines: [b"[" * 100_000], "not a whole backup"),
    ],
    ids=["no end", "a row gone", "a byte changed", "nothing in it", "empty", "nonsense"],
)
def test_a_spoilt_backup_changes_nothing(store, tmp_path, elsewhere, spoil, say):
    """Whatever is wrong with a file is found before anything of it is believed; the database stays empty."""
    store.write(fill)
    copied(store, tmp_path / "a.gz")
    spoilt = tmp_path / "spoilt.gz"
    with gzip.open(spoilt, "wb") as file:
        file.writelines(spoil(lines_of(tmp_path / "a.gz")))
    with pytest.raises(StoreRefusedError, match=say):
        opened(elsewhere, spoilt)
    again = opened(elsewhere, tmp_path / "a.gz")
    again.close()


@pytest.mark.parametrize("content", [b"", b"plain", b"\x1f\x8b\x08\x00cut"], ids=["empty", "plain", "cut"])
def test_a_file_that_is_none_of_ours_is_refused(tmp_path, elsewhere, content):
    """The sentence names the file."""
    path = tmp_path / "x.gz"
    path.write_bytes(content)
    with pytest.raises(StoreRefusedError, match=r"x\.gz"):
        opened(elsewhere, path)


def rewritten(path, target, change) -> None:
    """Write another whole backup, its first line changed."""
    lines = lines_of(path)
    head = json.loads(lines[0])
    lines[0] = json.dumps({**head, **change}).encode() + b"\n"
    digest = copying.sha256(b"".join(lines[:-1])).hexdigest()
    lines[-1] = json.dumps({**json.loads(lines[-1]), "sha256": digest}).encode() + b"\n"
    with gzip.open(target, "wb") as file:
        file.writelines(lines)


def test_a_backup_of_an_older_release_is_upgraded(store, tmp_path, elsewhere):
    """Rows go into the schema that they are of, and that is upgraded as any other."""
    store.write(fill)
    copied(store, tmp_path / "a.gz")
    rewritten(tmp_path / "a.gz", tmp_path / "old.gz", {"schema": "0001"})
    other = opened(elsewhere, tmp_path / "old.gz")
    try:
        assert everything(store) == everything(other)
        assert other.read(lambda tx: migrate.stored_version(tx.connection)) == migrate.SCHEMA_VERSION
        assert other.write(lambda tx: tx.next_numbers(1)) == [4]
    finally:
        other.close()


def test_a_backup_of_a_newer_release_is_refused(store, tmp_path, elsewhere):
    """What it means is not known here."""
    copied(store, tmp_path / "a.gz")
    rewritten(tmp_path / "a.gz", tmp_path / "new.gz", {"schema": "9999"})
    with pytest.raises(StoreRefusedError, match="newer than"):
        opened(elsewhere, tmp_path / "new.gz")
