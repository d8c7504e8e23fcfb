"""A whole database as one file, and back: portable between the kinds of databases and between releases.

The file is JSON lines, compressed. The first line says of which schema the rows are and how far numbers were given out;
then comes a line for each row; the last line says how many there were and their SHA-256, so that a file cut short is
found before anything of it is believed. What belongs to running processes (nodes, and what they tell each other) stays
behind.

Reading happens on one snapshot beside a daemon at work. Restoring happens in one transaction, into an empty database
only: at the schema that the rows are of, which is then upgraded as any other.
"""

import base64
import gzip
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import Any, TypeAlias

from sqlalchemy import Connection, LargeBinary, Select, Table, column, func, insert, inspect, select, text
from sqlalchemy import table as named

from escalatord.errors import StoreRefusedError
from escalatord.store import migrate
from escalatord.store.incidents import COUNTER_INCIDENT
from escalatord.store.tables import (
    SCHEMA_VERSION,
    alert_news,
    counters,
    dead_letters,
    incident_numbers,
    incidents,
    journal,
    journal_heads,
    metadata,
    node_chains,
    nodes,
    overrides,
)

FORMAT = 1
LEFT_BEHIND = frozenset({nodes.name, alert_news.name})
ROWS_AT_ONCE = 500
LINE_BYTES_MAX = 64 * 1024 * 1024
CHAIN = "chain"
NUMBERED: Mapping[str, Any] = {
    incidents.name: incidents.c.number,
    journal.name: journal.c.seq,
    dead_letters.name: dead_letters.c.id,
    overrides.name: overrides.c.id,
}
"""Tables whose rows are numbered, and by which column: no number is ever given twice, in the copy neither."""
SEQUENCES = {
    incidents.name: incident_numbers.name,
    journal.name: "journal_seq_seq",
    dead_letters.name: "dead_letters_id_seq",
    overrides.name: "overrides_id_seq",
}
# A sequence that was not used yet has no last value.
_given: Select[Any] = (
    select(column("last_value")).select_from(named("pg_sequences")).where(column("schemaname") == func.current_schema())
)

Row: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """What a copy came to: rows by table."""

    rows: Mapping[str, int]

    @property
    def incidents(self) -> int:
        """Return how many incidents there are in it."""
        return self.rows.get(incidents.name, 0)

    @property
    def entries(self) -> int:
        """Return how many entries its journal has."""
        return self.rows.get(journal.name, 0)


def save(connection: Connection, path: Path, version: str) -> Copied:
    """Write everything that a transaction sees to a new file; StoreRefusedError when its schema is another one."""
    found = migrate.stored_version(connection)
    if found != SCHEMA_VERSION:
        raise StoreRefusedError(
            f"the database has schema {found or 'none'}, this release {SCHEMA_VERSION}; migrate first"
        )
    counted: Counter[str] = Counter()
    digest = sha256()
    with gzip.open(path, "xb") as file:

        def write(value: object) -> None:
            line = json.dumps(value, separators=(",", ":")).encode() + b"\n"
            digest.update(line)
            file.write(line)

        write({"escalatord": version, "format": FORMAT, "schema": SCHEMA_VERSION, "numbers": _numbers(connection)})
        for table in metadata.sorted_tables:
            if table.name not in LEFT_BEHIND:
                for row in _rows(connection, table):
                    write([table.name, row])
                    counted[table.name] += 1
        file.write(json.dumps({"rows": counted, "sha256": digest.hexdigest()}).encode() + b"\n")
    return Copied(rows=counted)


def restore(connection: Connection, path: Path) -> Copied:
    """Make the database that was saved in `path` out of an empty one, in the caller's transaction.

    Raise StoreRefusedError when the database is not empty, or the file is not whole, not one of ours, or too new.
    """
    if inspect(connection).get_table_names():
        raise StoreRefusedError("the database is not empty; restore into a new one")
    head, expected = _ends(path)
    if head["schema"] > SCHEMA_VERSION:
        raise StoreRefusedError(f"the backup has schema {head['schema']}, newer than {SCHEMA_VERSION} of this release")
    migrate.upgrade(connection, head["schema"])
    # what a migration puts into its own tables is in the backup too
    for name in inspect(connection).get_table_names():
        if name != migrate.version_table.name:
            connection.execute(named(name).delete())
    counted: Counter[str] = Counter()
    lines = _lines(path)
    next(lines)
    rows = (value for value in map(json.loads, lines) if isinstance(value, list))
    for name, group in groupby(rows, key=itemgetter(0)):
        while some := [_from_json(row) for _, row in islice(group, ROWS_AT_ONCE)]:
            connection.execute(insert(named(name, *map(column, some[0]))), some)
            counted[name] += len(some)
    if counted != expected:
        raise StoreRefusedError("the backup does not hold what it says it does; take another one")
    migrate.upgrade(connection)
    _go_on_from(connection, head["numbers"])
    return Copied(rows=counted)


def chains(connection: Connection) -> list[int]:
    """Return every chain of the journal that there is or should be: of each incident, and of each process."""
    found = select(journal_heads.c.incident).union(select(incidents.c.number)).order_by("incident")
    return list(connection.execute(found).scalars())


def _rows(connection: Connection, table: Table) -> Iterator[Row]:
    ordered = select(table).order_by(*table.primary_key.columns)
    binary = [c.name for c in table.columns if isinstance(c.type, LargeBinary)]
    with connection.execute(ordered, execution_options={"yield_per": ROWS_AT_ONCE}) as rows:
        for row in rows.mappings():
            values = dict(row)
            for name in binary:
                values[name] = {"base64": base64.b64encode(values[name]).decode()}
            yield values


def _from_json(row: Row) -> Row:
    return {
        name: base64.b64decode(value["base64"]) if isinstance(value, dict) else value for name, value in row.items()
    }


def _numbers(connection: Connection) -> dict[str, int]:
    """Return the last number given out, by table; and of the chains of processes."""
    shared = connection.dialect.name == "postgresql"
    found = {}
    for name, numbered in NUMBERED.items():
        most = connection.execute(select(func.max(numbered))).scalar() or 0
        if shared:
            given = connection.execute(_given.where(column("sequencename") == SEQUENCES[name]))
        elif name == incidents.name:
            given = connection.execute(select(counters.c.value).where(counters.c.name == COUNTER_INCIDENT))
        else:
            given = connection.execute(text("SELECT seq FROM sqlite_sequence WHERE name = :name"), {"name": name})
        found[name] = max(most, int(given.scalar() or 0))
    found[CHAIN] = -min(connection.execute(select(func.min(journal_heads.c.incident))).scalar() or 0, 0)
    return found


def _go_on_from(connection: Connection, numbers: Mapping[str, int]) -> None:
    """Give out no number a second time."""
    if connection.dialect.name == "postgresql":
        given = {SEQUENCES[name]: numbers[name] for name in SEQUENCES} | {node_chains.name: numbers[CHAIN]}
        for sequence, last in given.items():
            if last > 0:
                connection.execute(select(func.setval(sequence, last)))
        return
    last = numbers[incidents.name]
    connection.execute(counters.delete().where(counters.c.name == COUNTER_INCIDENT))
    connection.execute(insert(counters), {"name": COUNTER_INCIDENT, "value": last})
    for name in (journal.name, dead_letters.name):
        connection.execute(text("DELETE FROM sqlite_sequence WHERE name = :name"), {"name": name})
        values = {"name": name, "seq": numbers[name]}
        connection.execute(text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :seq)"), values)


def _ends(path: Path) -> tuple[dict[str, Any], Counter[str]]:
    """Return the first line, and how many rows there are by table, of a file that is whole."""
    digest = sha256()
    first = last = b""
    for line in _lines(path):
        digest.update(last)
        first, last = first or line, line
    try:
        head, end = json.loads(first), json.loads(last)
        whole = head["format"] == FORMAT and end["sha256"] == digest.hexdigest()
        counts = Counter(end["rows"])
    except (ValueError, KeyError, TypeError, RecursionError):
        whole = False
    if not whole:
        raise StoreRefusedError(f"{path} is not a whole backup of escalatord")
    return head, counts


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with gzip.open(path, "rb") as file:
            while line := file.readline(LINE_BYTES_MAX):
                yield line
    except (OSError, EOFError) as error:
        raise StoreRefusedError(f"{path} cannot be read: {error.__class__.__name__}") from None
