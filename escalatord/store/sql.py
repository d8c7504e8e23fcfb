"""The few things that every family of tables needs to speak SQL.

Statements are built once and executed many times: SQLAlchemy then finds their compiled text by key, and drivers take
whole lists of rows.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any, TypeAlias, TypeVar

from sqlalchemy import Connection, CursorResult, Dialect, Insert, Table, UpdateBase, func
from sqlalchemy.dialects import postgresql, sqlite

T = TypeVar("T")

Row: TypeAlias = dict[str, Any]

# SQLite takes 32,766 parameters in a statement; a short list also keeps the number of compiled shapes small.
IN_LIST_LENGTH_MAX = 500


def chunks(values: Sequence[T]) -> Iterator[list[T]]:
    """Yield `values` in lists short enough for one IN (…)."""
    for start in range(0, len(values), IN_LIST_LENGTH_MAX):
        yield list(values[start : start + IN_LIST_LENGTH_MAX])


def insert_or_replace(
    connection: Connection, table: Table, *, keep: tuple[str, ...] = (), add: tuple[str, ...] = ()
) -> Insert:
    """Return an insert that replaces the row with the same primary key.

    Columns named in `keep` hold their old value where the new one is null; those in `add` grow by the new value.
    """
    return _insert_or_replace(connection.dialect.name, table, keep, add)


def insert_or_ignore(connection: Connection, table: Table) -> Insert:
    """Return an insert that leaves a row with the same primary key as it is."""
    return _insert_or_ignore(connection.dialect.name, table)


def execute_many(connection: Connection, statement: UpdateBase, rows: Sequence[Row]) -> CursorResult[Any]:
    """Execute `statement` once for each of `rows`, in one call of the driver.

    `rows` must not be empty and all have the same names; their values go to the driver as they are, and `statement`
    has no parameters but these. Preparing each row anew would cost a fifth of a write.
    """
    text, names = _compiled(connection.dialect, statement, tuple(rows[0]))
    if names is None:
        return connection.exec_driver_sql(text, list(rows))
    in_order = itemgetter(*names) if len(names) > 1 else lambda row: (row[names[0]],)
    return connection.exec_driver_sql(text, [in_order(row) for row in rows])


@lru_cache(maxsize=64)
def _insert_or_replace(dialect: str, table: Table, keep: tuple[str, ...], add: tuple[str, ...]) -> Insert:
    insert = _insert(dialect, table)
    changed: Row = {}
    for column in table.columns:
        news = insert.excluded[column.name]
        if column.name in keep:
            changed[column.name] = func.coalesce(news, column)
        elif column.name in add:
            changed[column.name] = column + news
        elif not column.primary_key:
            changed[column.name] = news
    return insert.on_conflict_do_update(index_elements=_keys(table), set_=changed)


@lru_cache(maxsize=64)
def _insert_or_ignore(dialect: str, table: Table) -> Insert:
    return _insert(dialect, table).on_conflict_do_nothing(index_elements=_keys(table))


def _keys(table: Table) -> list[str]:
    return [column.name for column in table.primary_key]


@lru_cache(maxsize=64)
def _compiled(dialect: Dialect, statement: UpdateBase, names: tuple[str, ...]) -> tuple[str, tuple[str, ...] | None]:
    """Return SQL text and the order of its parameters; None instead of an order when the driver takes names."""
    compiled = statement.compile(dialect=dialect, column_keys=list(names))
    positions = compiled.positiontup
    return str(compiled), None if positions is None else tuple(positions)


def _insert(dialect: str, table: Table) -> "postgresql.Insert | sqlite.Insert":
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)
