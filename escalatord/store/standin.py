"""The stand-in: a database in memory with the same schema, which pages go on from while the real one is away.

- It holds what was read of open incidents before, and never anything that the real one would have to number: no
  incident is opened in it, and it gives out no reply code that it cannot know to be free.
- One connection for everybody, one transaction at a time: two on one database in memory lock each other out.
- It is made anew for each outage and thrown away after it.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, bindparam, create_engine, delete, event, or_, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool

from escalatord.core.incident import Attempt, Incident, NoticeKind
from escalatord.core.values import replace
from escalatord.errors import EscalatordError, StoreUnavailableError
from escalatord.store import migrate, pragmas
from escalatord.store.codec import from_micros, to_micros
from escalatord.store.incidents import SEVERITY_RANKS
from escalatord.store.outbox import row_from
from escalatord.store.rows import CodeRow, DigestRow, JournalRow, LinkRow, MemberRow, OutboxRow, TokenRow
from escalatord.store.sql import execute_many, fetch, select_in
from escalatord.store.standing import Standing
from escalatord.store.store import Store
from escalatord.store.tables import codes, digests, incident_is_due, incident_is_open, incidents, links, outbox
from escalatord.store.tx import Tx

T = TypeVar("T")

ATTEMPTS_KEPT_MAX = 200
"""Of one incident so many of the latest attempts are kept, and whatever is not settled yet."""
JOURNAL_MAX = 1_000_000
UNSETTLED = (Attempt.PENDING, Attempt.SENDING)

_due_soon = (
    select(incidents.c.number, incidents.c.version)
    .where(
        incidents.c.severity == bindparam("severity"), incidents.c.next_due_at <= bindparam("until"), incident_is_due
    )
    .order_by(incidents.c.next_due_at)
    .limit(bindparam("limit"))
)
_versions = select(incidents.c.number, incidents.c.version).where(
    incidents.c.number.in_(bindparam("numbers", expanding=True))
)
_open_versions = _versions.where(incident_is_open)
_attempts = select(outbox).where(outbox.c.incident.in_(bindparam("numbers", expanding=True)))
_codes_of = select(codes).where(codes.c.incident.in_(bindparam("numbers", expanding=True)))
_codes_in_use = (
    select(codes)
    .where(or_(codes.c.released_at.is_(None), codes.c.released_at > bindparam("rested_since")))
    .limit(bindparam("limit"))
)
_numbers = select(incidents.c.number)
_links = select(links)
_digests = select(digests.c.reference)
_forget = delete(outbox).where(outbox.c.reference == bindparam("wanted"))


@dataclass(slots=True)
class About:
    """All that a page rests on: an incident as stored, its attempts by reference, its reply codes by person."""

    incident: Incident
    attempts: dict[str, OutboxRow] = field(default_factory=dict)
    codes: dict[str, CodeRow] = field(default_factory=dict)
    digests: dict[str, tuple[DigestRow, tuple[MemberRow, ...]]] = field(default_factory=dict)


class _HeldTx(Tx):
    """A transaction that says so when it is asked for what is not held: of that it knows nothing, not even that."""

    __slots__ = ()

    def outbox_get(self, reference: str) -> OutboxRow | None:
        """Return the attempt with that reference."""
        return _known(super().outbox_get(reference))

    def link(self, token_hash: str) -> LinkRow | None:
        """Return what the link with that token hash is bound to."""
        return _known(super().link(token_hash))

    def codes_of(self, person: str, now: datetime) -> list[CodeRow]:
        """Return the codes that a reply of `person` may mean now; those of all incidents, or none."""
        found = super().codes_of(person, now)
        held = self.load({code.incident for code in found})
        if not self.standing.gives_codes and any(c.incident not in held and c.released_at is None for c in found):
            _known(None)  # what they say without a code could be about what others page them for
        return found


def _known(found: T | None) -> T:
    if found is None:
        raise StoreUnavailableError("the database is away, and this is not held in memory")
    return found


class StandIn(Store):
    """A store in memory. Without `gives_codes` whoever is paged from it for the first time answers by link."""

    transaction = _HeldTx

    def __init__(self, *, gives_codes: bool) -> None:
        self.database = _Memory(gives_codes=gives_codes)
        self.chain = 0
        self._engines: list[Engine] = []
        self._writer: Connection | None = None
        self._reader: Connection | None = None
        self._turn = Lock()
        self.open(migrate.create)

    def _run(
        self, connection: Connection | None, work: Callable[[Tx], T], begin: Callable[[Connection], Standing]
    ) -> T:
        del connection
        with self._turn:
            return super()._run(self._writer, work, begin)


class _Memory:
    """SQLite without a file, as what a store stands on."""

    shared = False
    path: Path | None = None
    name = "memory"
    short_of_room = False

    def __init__(self, *, gives_codes: bool) -> None:
        self._standing = Standing(stands_in=True, gives_codes=gives_codes)
        self._engine = create_engine(
            "sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False}, hide_parameters=True
        )
        event.listen(self._engine, "connect", _say_begin_ourselves)

    def take(self) -> None:
        """Do nothing: nobody else can see it."""

    def writer(self) -> Engine:
        """Return the one engine."""
        return self._engine

    def reader(self) -> Engine:
        """Return the one engine."""
        return self._engine

    def prepare(self, connection: Connection, make: Callable[[Connection], object]) -> None:
        """Let `make` make the schema."""
        with connection.begin():
            make(connection)

    def opened(self) -> None:
        """Do nothing."""

    def begin_writing(self, connection: Connection, *, alone: bool) -> Standing:
        """Begin."""
        del alone
        return self.begin_reading(connection)

    def begin_reading(self, connection: Connection) -> Standing:
        """Begin."""
        connection.begin()
        connection.exec_driver_sql("BEGIN")
        return self._standing

    def is_sound(self, connection: Connection) -> bool:
        """Return whether a transaction is under way."""
        return pragmas.in_transaction(connection)

    def is_idle(self, connection: Connection) -> bool:
        """Return whether none is."""
        return not pragmas.in_transaction(connection)

    def committed(self) -> None:
        """Do nothing."""

    def trouble(self, error: DBAPIError, connection: Connection) -> EscalatordError | None:
        """Return None: what goes wrong in memory is a defect."""
        del error, connection
        return None

    def refusal(self, error: DBAPIError) -> EscalatordError | None:
        """Return None, as above."""
        del error
        return None

    def release(self) -> None:
        """Do nothing."""


# ------------------------------------------------------------------------------------------------ what is kept ready


def due_soon(tx: Tx, until: datetime, limit: int) -> dict[int, int]:
    """Return versions by number of open incidents due by `until`: the most severe first, then the earliest."""
    found: dict[int, int] = {}
    for rank in reversed(SEVERITY_RANKS):
        if len(found) < limit:
            rows = fetch(tx.connection, _due_soon, severity=rank, until=to_micros(until), limit=limit - len(found))
            found.update(rows)
    return found


def versions_of(tx: Tx, numbers: Iterable[int], *, only_open: bool) -> dict[int, int]:
    """Return versions by number of the incidents that exist among `numbers`."""
    return dict(select_in(tx.connection, _open_versions if only_open else _versions, "numbers", list(numbers)))


def about(tx: Tx, numbers: Collection[int]) -> dict[int, About]:
    """Return all that a page about these incidents rests on."""
    found = {number: About(incident) for number, incident in tx.load(numbers).items()}
    rows = [row_from(row) for row in select_in(tx.connection, _attempts, "numbers", list(found))]
    by_number: dict[int, list[OutboxRow]] = {}
    for row in sorted(rows, key=lambda row: (row.due_at, row.reference), reverse=True):
        kept = by_number.setdefault(row.incident, [])
        if len(kept) < ATTEMPTS_KEPT_MAX or row.state in UNSETTLED:
            kept.append(row)
    for number, kept in by_number.items():
        found[number].attempts = {row.reference: row for row in kept}
    for code in _code_rows(select_in(tx.connection, _codes_of, "numbers", list(found))):
        found[code.incident].codes[code.person] = code
    together = [row for row in rows if row.kind is NoticeKind.DIGEST and row.state in UNSETTLED]
    members = tx.members_of([row.reference for row in together])
    for row in together:
        made = tx.digest(row.reference)
        if made is not None:
            found[row.incident].digests[row.reference] = (made, tuple(members.get(row.reference, ())))
    return found


def codes_in_use(tx: Tx, rested_since: datetime, limit: int) -> list[CodeRow]:
    """Return at most `limit` of the reply codes that mean something: in use, or released after `rested_since`."""
    return _code_rows(fetch(tx.connection, _codes_in_use, rested_since=to_micros(rested_since), limit=limit))


@dataclass(slots=True)
class Besides:
    """What belongs to no incident, and pages and answers need: reply codes in use, API tokens, a few settings."""

    codes: Sequence[CodeRow] = ()
    tokens: Sequence[TokenRow] = ()
    settings: Mapping[str, str] = field(default_factory=dict)


def seed(tx: Tx, held: Mapping[int, About], besides: Besides) -> None:
    """Write what is held into an empty stand-in."""
    tx.save([replace(one.incident, version=0) for one in held.values()])
    attempts = {reference: row for one in held.values() for reference, row in one.attempts.items()}
    tx.outbox_add(list(attempts.values()))
    known = {(code.person, code.code): code for code in besides.codes}
    known.update({(code.person, code.code): code for one in held.values() for code in one.codes.values()})
    by_place = {(code.person, code.incident): code for code in known.values()}
    tx.assign_codes(list(by_place.values()))
    for one in held.values():
        for made, members in one.digests.values():
            tx.add_digest(made, members)
    for token in besides.tokens:
        tx.add_token(token)
    for name, value in besides.settings.items():
        tx.set_setting(name, value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What is in a stand-in now: what it was given, and all that happened in it."""

    held: Mapping[int, About]
    links: Sequence[LinkRow]
    digests: Mapping[str, tuple[DigestRow, tuple[MemberRow, ...]]]
    journal: Sequence[JournalRow]


def contents(tx: Tx) -> Contents:
    """Return what is in a stand-in."""
    numbers = [number for (number,) in fetch(tx.connection, _numbers)]
    references = [reference for (reference,) in fetch(tx.connection, _digests)]
    members = tx.members_of(references)
    made = {reference: tx.digest(reference) for reference in references}
    return Contents(
        held=about(tx, numbers),
        links=[LinkRow(**row) for row in tx.connection.execute(_links).mappings()],
        digests={name: (one, tuple(members.get(name, ()))) for name, one in made.items() if one is not None},
        journal=tx.journal_after(0, JOURNAL_MAX),
    )


def replace_attempts(tx: Tx, rows: Sequence[OutboxRow]) -> None:
    """Write attempts as they are, over what is known of them; a sender's fence (`claims`) included."""
    if rows:
        execute_many(tx.connection, _forget, [{"wanted": row.reference} for row in rows])
        tx.outbox_add(rows)


def _code_rows(rows: Iterable[Any]) -> list[CodeRow]:
    return [
        CodeRow(person=person, incident=incident, code=code, track=track, released_at=from_micros(released_at))
        for person, incident, code, track, released_at in rows
    ]


def _say_begin_ourselves(driver: object, _record: object) -> None:
    driver.isolation_level = None  # type: ignore[attr-defined] # the driver's connection
