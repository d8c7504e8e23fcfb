"""The few things that every family of tables needs to speak SQL.

Statements are built once and executed many times: SQLAlchemy then finds their compiled text by key, and drivers take
whole lists of rows.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain
from operator import itemgetter
from typing import Any, TypeAlias, TypeVar, cast

from sqlalchemy import Connection, Dialect, Executable, Insert, Select, Table, UpdateBase, func
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError

T = TypeVar("T")

Row: TypeAlias = dict[str, Any]

# SQLite takes 32,766 parameters in a statement; a short list also keeps the number of compiled shapes small.
IN_LIST_LENGTH_MAX = 500
IN_LIST_LENGTHS = (1, 4, 16, 64, 256, IN_LIST_LENGTH_MAX)
STATEMENTS_KEPT_MAX = 256
PG_IN_TRANSACTION = 2
VALUES = " VALUES ("
NUMBERED = re.compile(r"\$(\d+)((?:::[A-Z]+)?)")
ROWS_AT_ONCE = (64, 16, 4)
"""How many rows one INSERT writes. Each statement lets other threads go on, and may wait for them to come back."""
ROWS_UP_TO = (1, 2, 4, 8, 16, 32, 64, 128)
"""The same where statements are prepared by a server far away: one each time, for so many rows or fewer."""


def chunks(values: Sequence[T]) -> Iterator[list[T]]:
    """Yield `values` in lists short enough for one IN (…)."""
    for start in range(0, len(values), IN_LIST_LENGTH_MAX):
        yield list(values[start : start + IN_LIST_LENGTH_MAX])


def insert_or_replace(
    connection: Connection, table: Table, *, keep: tuple[str, ...] = (), add: tuple[str, ...] = ()
) -> Insert:
    """Return an insert that replaces the row with the same primary key.

    Columns named in `keep` hold their old value where the new one is null; those in `add` grow by the new value, which
    the statement returns.
    """
    return _insert_or_replace(connection.dialect.name, table, keep, add)


def insert_or_ignore(connection: Connection, table: Table) -> Insert:
    """Return an insert that leaves a row with the same primary key as it is."""
    return _insert_or_ignore(connection.dialect.name, table)


def fetch(connection: Connection, statement: Executable, **values: Any) -> list[Any]:
    """Execute `statement` with these parameters and return its rows, as tuples of what the driver gives.

    For what runs with every commit: SQLAlchemy has said once what the text is, and the driver does the rest. SQLite has
    no booleans: they come as 0 and 1.
    """
    text, order, constants = _compiled(connection.dialect, statement, tuple(values))
    given = {**constants, **values}
    return list(_run(connection, text, given if order is None else [given[name] for name in order]).fetchall())


def execute_many(connection: Connection, statement: UpdateBase, rows: Sequence[Row]) -> int:
    """Execute `statement` once for each of `rows`, in one call of the driver; return how many rows it changed.

    `rows` must not be empty and all have the same names; their values go to the driver as they are, and `statement`
    has no parameters but these. Preparing each row anew would cost a fifth of a write.
    """
    text, order, _ = _compiled(connection.dialect, statement, tuple(rows[0]))
    given = list(rows) if order is None else [[row[name] for name in order] for row in rows]
    return int(_run(connection, text, given, many=True).rowcount)


def insert_many(connection: Connection, statement: Insert, rows: Sequence[Row]) -> None:
    """Insert `rows` as `execute_many` does, many with one statement where the driver takes parameters by place.

    No two of them may have the same primary key: a statement that replaces rows replaces none twice.
    """
    text, order, _ = _compiled(connection.dialect, statement, tuple(rows[0]))
    done = 0
    if connection.dialect.name == "postgresql":
        _insert_up_to(connection, statement, rows)
        return
    # the getter of one column would give no tuple
    if order is not None and len(order) > 1:
        in_order = itemgetter(*order)
        while len(rows) - done >= ROWS_AT_ONCE[-1]:
            size = next(size for size in ROWS_AT_ONCE if size <= len(rows) - done)
            values = list(chain.from_iterable(map(in_order, rows[done : done + size])))
            _run(connection, _with_rows(text, len(order), size), values)
            done += size
    if done < len(rows):
        execute_many(connection, statement, rows[done:])


def _insert_up_to(connection: Connection, statement: Insert, rows: Sequence[Row]) -> None:
    """Insert rows with statements for one of a few numbers of them, filled up with the last, which is left out."""
    names, most = tuple(rows[0]), ROWS_UP_TO[-1]
    for start in range(0, len(rows), most):
        some = rows[start : start + most]
        size = next(size for size in ROWS_UP_TO if size >= len(some))
        text, order = _up_to(connection.dialect, statement, names, size)
        given = [row[name] for row in some for name in order]
        given += given[-len(order) :] * (size - len(some))
        _run(connection, text, [*given, len(some)])


def select_in(
    connection: Connection, statement: Select[Any], name: str, values: Sequence[Any], **more: Any
) -> Iterator[Any]:
    """Yield the rows of a select whose expanding parameter `name` takes `values`, however many, in any order.

    `more` are its other parameters; rows are as `fetch` gives them. Lists are filled up to one of a few lengths, so
    that few statements are made.
    """
    for chunk in chunks(values):
        size = next(size for size in IN_LIST_LENGTHS if size >= len(chunk))
        text, order = _compiled_in(connection.dialect, statement, name, size, tuple(more))
        if order is None:
            yield from connection.execute(statement, {name: chunk, **more})
            continue
        given: list[Any] = []
        for parameter in order:
            given += [*chunk, *[chunk[-1]] * (size - len(chunk))] if parameter == name else [more[parameter]]
        yield from _run(connection, text, given).fetchall()


def is_aborted(connection: Connection) -> bool:
    """Return whether a statement has failed in this transaction and the database takes no more: PostgreSQL does so."""
    if connection.dialect.name != "postgresql":
        return False
    driver: Any = connection.connection.driver_connection
    return bool(driver.pgconn.transaction_status != PG_IN_TRANSACTION)


def _run(connection: Connection, text: str, given: Any, *, many: bool = False) -> Any:
    """Give a statement to the driver and return its cursor; what the driver raises is raised as SQLAlchemy would."""
    cursor = connection.connection.cursor()
    try:
        if many:
            cursor.executemany(text, given)
        else:
            cursor.execute(text, given)
    except connection.dialect.loaded_dbapi.Error as error:
        # parameters are alert text and phone numbers: they stay out of error texts
        raise DBAPIError.instance(
            text,
            None,
            error,
            connection.dialect.loaded_dbapi.Error,
            hide_parameters=True,
            dialect=connection.dialect,
        ) from error
    return cursor


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
    statement = insert.on_conflict_do_update(index_elements=_keys(table), set_=changed)
    return statement.returning(*(table.c[name] for name in add)) if add else statement


@lru_cache(maxsize=64)
def _insert_or_ignore(dialect: str, table: Table) -> Insert:
    return _insert(dialect, table).on_conflict_do_nothing(index_elements=_keys(table))


def _keys(table: Table) -> list[str]:
    return [column.name for column in table.primary_key]


@lru_cache(maxsize=STATEMENTS_KEPT_MAX)
def _compiled(
    dialect: Dialect, statement: Executable, names: tuple[str, ...]
) -> tuple[str, tuple[str, ...] | None, Row]:
    """Return SQL text, the order of its parameters (None when the driver takes names), and those it brings itself."""
    keys = list(names) if isinstance(statement, UpdateBase) else None
    compiled = cast("UpdateBase", statement).compile(dialect=dialect, column_keys=keys)
    order = compiled.positiontup
    constants = {name: value for name, value in compiled.params.items() if name not in names}
    text = str(compiled)
    assert "POSTCOMPILE" not in text, text  # noqa: S101 - that is for select_in
    return text, None if order is None else tuple(order), constants


@lru_cache(maxsize=64)
def _with_rows(text: str, columns: int, size: int) -> str:
    """Return an INSERT of one row as one of `size` rows."""
    row = "(" + ", ".join("?" * columns) + ")"
    assert text.count(f"VALUES {row}") == 1, text  # noqa: S101 - else rows would be lost in silence
    return text.replace(f"VALUES {row}", "VALUES " + ", ".join([row] * size))


@lru_cache(maxsize=STATEMENTS_KEPT_MAX)
def _up_to(dialect: Dialect, statement: Insert, names: tuple[str, ...], size: int) -> tuple[str, tuple[str, ...]]:
    """Return an INSERT of the first so many of `size` rows (its last parameter), and the order of a row's columns."""
    text, order, _ = _compiled(dialect, statement, names)
    before, _, after = text.partition(VALUES)
    row, _, after = after.partition(")")
    places = NUMBERED.findall(row)
    assert order is not None and [int(number) for number, _ in places] == [*range(1, len(order) + 1)], text  # noqa: S101,PT018 - else rows would be lost in silence
    rows = []
    for start in range(0, size * len(order), len(order)):
        given = ", ".join(f"${start + place}{kind}" for place, (_, kind) in enumerate(places, 1))
        rows.append(f"({given}, {start // len(order)})")
    columns = ", ".join(f"c{place}" for place in range(len(order)))
    values = f"(VALUES {', '.join(rows)}) AS given ({columns}, place)"
    # our own words and numbers alone: whatever is written is a parameter
    chosen = f"SELECT {columns} FROM {values} WHERE place < ${size * len(order) + 1}::BIGINT"  # noqa: S608
    return f"{before} {chosen}{after}", order


@lru_cache(maxsize=128)
def _compiled_in(
    dialect: Dialect, statement: Select[Any], name: str, size: int, more: tuple[str, ...]
) -> tuple[str, tuple[str, ...] | None]:
    """Return SQL text with a list of `size` values, and the order of parameters as `_compiled` does."""
    order = statement.compile(dialect=dialect).positiontup
    if order is None:
        return "", None
    assert set(order) == {name, *more}, order  # noqa: S101 - a constant in it would be left out
    sample = statement.params({name: [0] * size, **dict.fromkeys(more, 0)})
    return str(sample.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})), tuple(order)


def _insert(dialect: str, table: Table) -> "postgresql.Insert | sqlite.Insert":
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)
