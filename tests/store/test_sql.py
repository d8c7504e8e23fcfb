"""One set of statements for two databases."""

import pytest
from sqlalchemy import SelectBase, UpdateBase, insert
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from escalatord.store import alerts, answers, incidents, journal, outbox, runtime, sql
from escalatord.store.tables import metadata, settings

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
    """A connection that remembers what its driver would get."""

    def __init__(self, dialect) -> None:
        self.dialect = dialect

    def exec_driver_sql(self, text, rows):
        """Return what was given."""
        return text, rows


@pytest.mark.parametrize(
    ("dialect", "rows"),
    [
        (DIALECTS[0], [("a", "1"), ("b", "2")]),
        (DIALECTS[1], [{"name": "a", "value": "1"}, {"name": "b", "value": "2"}]),
    ],
    ids=["sqlite by place", "postgresql by name"],
)
def test_many_rows_go_to_the_driver_as_it_likes_them(dialect, rows):
    """One driver counts parameters, the other names them."""
    given = [{"name": "a", "value": "1"}, {"name": "b", "value": "2"}]
    _, got = sql.execute_many(Recorder(dialect), insert(settings), given)
    assert got == rows


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
