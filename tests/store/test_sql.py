"""One set of statements for two databases."""

import sqlite3

import pytest
from sqlalchemy import SelectBase, UpdateBase, bindparam, insert, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError
from sqlalchemy.schema import CreateIndex, CreateTable

from escalatord.store import alerts, answers, incidents, journal, outbox, runtime, sql
from escalatord.store.tables import codes, metadata, settings
from escalatord.store.tables import journal as journal_table

DIALECTS = (sqlite.dialect(), postgresql.dialect())


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
@pytest.mark.parametrize("module", [alerts, answers, incidents, journal, outbox, runtime], ids=lambda m: m.__name__)
def test_every_statement_is_neutral(module, dialect):
    """Each statement can be said to both databases."""
    statements = [value for value in vars(module).values() if isinstance(value, UpdateBase | SelectBase)]
    assert statements
    for statement in statements:
        assert str(statement.compile(dialect=dialect))


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_every_table_is_neutral(dialect):
    """Each table and index can be made in both databases, the partial ones with their condition."""
    for table in metadata.sorted_tables:
        assert str(CreateTable(table).compile(dialect=dialect))
        for index in table.indexes:
            conditions = {index.dialect_options[name]["where"] is None for name in ("sqlite", "postgresql")}
            assert len(conditions) == 1
            assert str(CreateIndex(index).compile(dialect=dialect))


class Recorder:
    """A connection, its driver's connection and cursor in one; remembers what the driver got."""

    rowcount = 2

    def __init__(self, dialect) -> None:
        self.dialect = dialect
        self.dialect.dbapi = sqlite3
        self.connection = self
        self.got = []

    def cursor(self):
        """Return itself."""
        return self

    def executemany(self, text, rows):
        """Remember what was given."""
        self.got.append((text, rows))

    execute = executemany


@pytest.mark.parametrize(
    ("dialect", "rows"),
    [
        (DIALECTS[0], [["a", "1"], ["b", "2"]]),
        (DIALECTS[1], [{"name": "a", "value": "1"}, {"name": "b", "value": "2"}]),
    ],
    ids=["sqlite by place", "postgresql by name"],
)
def test_many_rows_go_to_the_driver_as_it_likes_them(dialect, rows):
    """One driver counts parameters, the other names them."""
    given = [{"name": "a", "value": "1"}, {"name": "b", "value": "2"}]
    recorder = Recorder(dialect)
    assert sql.execute_many(recorder, insert(settings), given) == 2
    assert [given for _, given in recorder.got] == [rows]


@pytest.mark.parametrize("count", [1, 2, 3, 4, 21, 64, 127, 128, 129, 300])
def test_every_row_is_inserted_once(store, count):
    """However many rows come at once, each is written, by few statements."""
    given = [{"name": f"row {number}", "value": "x"} for number in range(count)]

    def work(tx):
        sql.insert_many(tx._connection, insert(settings), given)
        return tx._connection.execute(select(settings.c.name)).scalars().all()

    assert {row["name"] for row in given} <= set(store.write(work))


def test_rows_are_inserted_in_their_order(store):
    """Whoever is numbered by the database is numbered in the order in which it was given: a chain depends on it."""
    same = {"incident": 1, "actor": "", "via": "web", "kind": "k", "policy": "", "body": "{}", "prev_hash": ""}
    entries = [{**same, "at": place, "hash": f"{place}"} for place in range(100)]
    store.write(lambda tx: sql.insert_many(tx._connection, insert(journal_table), entries))
    numbered = select(journal_table.c.at).order_by(journal_table.c.seq)
    assert store.read(lambda tx: tx._connection.execute(numbered).scalars().all()) == list(range(100))


@pytest.mark.parametrize("count", [1, 3, 70])
def test_rows_replace_those_that_are_there(store, count):
    """A row whose key is known is replaced, but for a column to be kept where the new one is null; others are added."""
    statement = sql.insert_or_replace(store._writer, codes, keep=("released_at",))

    def row(place, code, released_at):
        return {"person": "ana", "incident": place, "code": code, "track": "t", "released_at": released_at}

    def work(tx):
        sql.insert_many(tx._connection, statement, [row(place, f"a{place}", 7) for place in range(count)])
        sql.insert_many(tx._connection, statement, [row(place, f"b{place}", None) for place in range(count + 1)])
        found = select(codes.c.incident, codes.c.code, codes.c.released_at).order_by(codes.c.incident)
        return list(map(tuple, tx._connection.execute(found)))

    known = [(place, f"b{place}", 7) for place in range(count)]
    assert store.write(work) == [*known, (count, f"b{count}", None)]


def test_lists_of_any_length_find_all_their_rows(store):
    """A list longer than one statement takes is asked for in several, and nothing is found twice."""
    keys = [f"row {number}" for number in range(sql.IN_LIST_LENGTH_MAX + 3)]
    wanted = select(settings.c.name).where(settings.c.name.in_(bindparam("names", expanding=True)))

    def work(tx):
        sql.insert_many(tx._connection, insert(settings), [{"name": key, "value": ""} for key in keys])
        return [list(sql.select_in(tx._connection, wanted, "names", some)) for some in (keys, keys[:5], [])]

    assert [[(key,) for key in sorted(some)] for some in (keys, keys[:5], [])] == list(map(sorted, store.write(work)))


def test_errors_of_the_driver_keep_their_kind_and_hide_what_was_written(store):
    """Who writes a key twice hears of IntegrityError as from SQLAlchemy, without the values."""
    rows = [{"name": "twice", "value": "secret"}] * 2
    with pytest.raises(IntegrityError) as caught:
        store.write(lambda tx: sql.insert_many(tx._connection, insert(settings), rows))
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_upserts_are_neutral(dialect):
    """Replacing and ignoring are said in both dialects."""
    connection = Recorder(dialect)
    replace = str(sql.insert_or_replace(connection, settings).compile(dialect=dialect))
    ignore = str(sql.insert_or_ignore(connection, settings).compile(dialect=dialect))
    assert ("DO UPDATE SET value = " in replace, "DO NOTHING" in ignore) == (True, True)


def test_chunks_lose_nothing():
    """A long list comes in parts, a short one whole, an empty one not at all."""
    long = list(range(sql.IN_LIST_LENGTH_MAX + 1))
    assert [len(part) for part in sql.chunks(long)] == [sql.IN_LIST_LENGTH_MAX, 1]
    assert list(sql.chunks([1, 2])) == [[1, 2]]
    assert list(sql.chunks([])) == []
