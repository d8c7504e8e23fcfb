"""The journal: facts in order, one hash chain for each incident, and one for each process (0 and below).

An entry's hash is the SHA-256, in hex, of its canonical JSON (an object with the members actor, at, body, incident,
kind, policy and via; names sorted, no spaces, ASCII, `at` in microseconds since 1970 UTC) followed by the hash of
the entry before it in the same chain ("" for the first). The end of each chain is kept beside it, so that entries
cut off the end are missed too. Anybody can compute this again from the rows.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from json.encoder import encode_basestring_ascii
from typing import Any, NamedTuple, TypeAlias

from sqlalchemy import Connection, bindparam, func, insert, literal, select

from escalatord.core.incident import Via
from escalatord.store.codec import from_micros, to_micros
from escalatord.store.rows import JournalEntry, JournalRow
from escalatord.store.sql import Row, fetch, insert_many, insert_or_replace, select_in
from escalatord.store.tables import incidents, journal, journal_heads

VERIFY_ROWS_AT_ONCE = 1000


class Head(NamedTuple):
    """The end of a chain: how many entries it has, and the hash of the last one."""

    length: int = 0
    hash: str = ""


Heads: TypeAlias = dict[int, Head]

_rows = select(journal)
_of_incident = _rows.where(journal.c.incident == bindparam("incident")).order_by(journal.c.seq)
_after = _rows.where(journal.c.seq > bindparam("after")).order_by(journal.c.seq).limit(bindparam("limit"))
_of_kinds = _rows.where(
    journal.c.seq > bindparam("after"), journal.c.kind.in_(bindparam("kinds", expanding=True))
).order_by(journal.c.seq)
_at_or_below = (
    select(journal.c.seq, journal.c.at).where(journal.c.seq <= bindparam("seq")).order_by(journal.c.seq.desc()).limit(1)
)
_between = (
    _rows.where(journal.c.at >= bindparam("since"), journal.c.at < bindparam("until"))
    .order_by(journal.c.seq)
    .limit(bindparam("limit"))
)
_last_seq = select(func.max(journal.c.seq))
_latest_of = (
    _rows.where(journal.c.incident == bindparam("incident")).order_by(journal.c.seq.desc()).limit(bindparam("limit"))
)
_last_incident = select(journal.c.incident).order_by(journal.c.seq.desc()).limit(1)
_heads = select(journal_heads).where(journal_heads.c.incident.in_(bindparam("incidents", expanding=True)))
_incident_exists = select(literal(1)).where(incidents.c.number == bindparam("incident"))
_insert = insert(journal)
canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False, check_circular=False).encode
"""Keys in order and no spaces: the same entry always gives the same text."""


def append(
    connection: Connection, heads: Heads, entries: Sequence[JournalEntry], begun: Sequence[Sequence[Row]] = ()
) -> int:
    """Append `entries` in order and return the number of the last one (of the journal's last one when there are none).

    `heads` holds the ends of chains met in this transaction and is brought up to date. `begun` are rows of chains that
    begin with them, hashes included.
    """
    if not (entries or begun):
        return last_seq(connection)
    touched = dict.fromkeys(entry.incident for entry in entries)
    _read_heads(connection, heads, [incident for incident in touched if incident not in heads])
    texts: dict[int, str] = {}
    rows = [_chained(heads, entry, _text(texts, entry.body)) for entry in entries]
    for chain in begun:
        last = chain[-1]
        touched[last["incident"]] = None
        heads[last["incident"]] = Head(len(chain), last["hash"])
        rows += chain
    insert_many(connection, _insert, rows)
    # In one order everywhere, as for incidents. Who meets a chain that another node made longer decides again.
    ends = [
        {"incident": incident, "length": heads[incident].length, "hash": heads[incident].hash}
        for incident in sorted(touched)
    ]
    insert_many(connection, insert_or_replace(connection, journal_heads), ends)
    return last_seq(connection)


def of_incident(connection: Connection, incident: int) -> list[JournalRow]:
    """Return an incident's entries (0 = the daemon's own), oldest first."""
    return [_journal_row(row) for row in connection.execute(_of_incident, {"incident": incident})]


def after(connection: Connection, seq: int, limit: int) -> list[JournalRow]:
    """Return at most `limit` entries with a number above `seq`, oldest first."""
    return [_journal_row(row) for row in connection.execute(_after, {"after": seq, "limit": limit})]


def of_kinds(connection: Connection, seq: int, kinds: Sequence[str]) -> list[JournalRow]:
    """Return the entries of these kinds with a number above `seq`, oldest first."""
    return [_journal_row(row) for row in connection.execute(_of_kinds, {"after": seq, "kinds": list(kinds)})]


def seq_before(connection: Connection, at: datetime) -> int:
    """Return a number that every entry at or after `at` is above; found by halving, so no index is needed.

    Entries are appended in order of time; a clock that was set back makes this as wrong as the clock was.
    """
    low, high = 0, last_seq(connection)
    while low < high:
        middle = (low + high + 1) // 2
        row = connection.execute(_at_or_below, {"seq": middle}).first()
        if row is None or row.at < to_micros(at):
            low = middle
        else:
            high = row.seq - 1
    return low


def between(connection: Connection, since: datetime, until: datetime, limit: int) -> list[JournalRow]:
    """Return at most `limit` entries made in [since, until), oldest first."""
    given = {"since": to_micros(since), "until": to_micros(until), "limit": limit}
    return [_journal_row(row) for row in connection.execute(_between, given)]


def latest_of(connection: Connection, incident: int, limit: int) -> list[JournalRow]:
    """Return the newest entries of an incident (0 = the daemon's own), newest first."""
    return [_journal_row(row) for row in connection.execute(_latest_of, {"incident": incident, "limit": limit})]


def last_seq(connection: Connection) -> int:
    """Return the number of the last entry, 0 when there is none."""
    ((last,),) = fetch(connection, _last_seq)
    return last or 0


def last_incident(connection: Connection) -> int:
    """Return the incident of the last entry, 0 when it is about none (or there is none)."""
    found = connection.execute(_last_incident).scalar()
    return int(found or 0)


def verify(connection: Connection, incident: int) -> bool:
    """Return whether an incident's chain is whole: nothing edited, deleted, put in, moved or cut off.

    An incident that exists without any entry is not whole; one that never existed is.
    """
    end = Head()
    piecewise = {"yield_per": VERIFY_ROWS_AT_ONCE}
    with connection.execute(_of_incident, {"incident": incident}, execution_options=piecewise) as rows:
        for row in rows:
            if row.prev_hash != end.hash or row.hash != hash_of(row._mapping):  # noqa: SLF001 the public name of a row's dict
                return False
            end = Head(end.length + 1, row.hash)
    heads: Heads = {}
    _read_heads(connection, heads, [incident])
    if end != heads[incident]:
        return False
    return end.length > 0 or connection.execute(_incident_exists, {"incident": incident}).first() is None


def _read_heads(connection: Connection, heads: Heads, wanted: Iterable[int]) -> None:
    numbers = list(wanted)
    heads.update((incident, Head()) for incident in numbers)
    for incident, length, hash_ in select_in(connection, _heads, "incidents", numbers):
        heads[incident] = Head(length, hash_)


def _text(texts: dict[int, str], body: Mapping[str, object]) -> str:
    """Return a body as canonical JSON; entries that share one body, the very same object, share its text."""
    known = texts.get(id(body))
    if known is None:
        known = texts[id(body)] = canonical(body)
    return known


def row_of(entry: JournalEntry, body: str | None = None) -> Row:
    """Return the row of an entry, but for its place in a chain; `body` is its body's text where that is known."""
    return {
        "incident": entry.incident,
        "at": to_micros(entry.at),
        "actor": entry.actor,
        "via": entry.via.value,
        "kind": entry.kind,
        "policy": entry.policy,
        "body": canonical(entry.body) if body is None else body,
    }


def hash_of(row: Mapping[Any, Any]) -> str:
    """Return the hash of a row that knows the hash before it."""
    quoted = encode_basestring_ascii
    envelope = (
        f'{{"actor":{quoted(row["actor"])},"at":{row["at"]},"body":{row["body"]},"incident":{row["incident"]},'
        f'"kind":{quoted(row["kind"])},"policy":{quoted(row["policy"])},"via":{quoted(row["via"])}}}'
    )
    return sha256((envelope + row["prev_hash"]).encode()).hexdigest()


def _chained(heads: Heads, entry: JournalEntry, body: str) -> Row:
    before = heads[entry.incident]
    row = row_of(entry, body)
    row["prev_hash"] = before.hash
    row["hash"] = hash_of(row)
    heads[entry.incident] = Head(before.length + 1, row["hash"])
    return row


def _journal_row(row: Any) -> JournalRow:
    entry = JournalEntry(
        incident=row.incident,
        at=from_micros(row.at),
        actor=row.actor,
        via=Via(row.via),
        kind=row.kind,
        body=json.loads(row.body),
        policy=row.policy,
    )
    return JournalRow(seq=row.seq, entry=entry, prev_hash=row.prev_hash, hash=row.hash)
