"""Carrying what was done from memory over into the database that is back: nothing is forgotten, or done twice.

- First what humans said, then by severity; a few incidents in each transaction. What is carried is not carried again,
  should the database go away in between.
- An incident that nobody changed meanwhile becomes what it became in memory: the same steps, entries and attempts.
- One that was changed (by another node, or by a commit whose answer was lost) stays as the database has it; what
  happened in memory happens to it again, each at its own instant. So the word of a human counts wherever it was said,
  and a page that both know of is one page. What went out and has no place in that is written down by itself.
- Of an attempt the higher state counts (`core.retry`), whoever knows it.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import TypeAlias

from structlog import get_logger

from escalatord.core.events import TimersDue
from escalatord.core.incident import Attempt, Incident, State, Via
from escalatord.core.retry import advance
from escalatord.core.values import replace
from escalatord.engine import handlers, intake
from escalatord.engine.batch import Batch
from escalatord.engine.commands import ANY_LANE, Answer, Command, Receipt
from escalatord.engine.handlers import Due
from escalatord.engine.unit import Unit
from escalatord.engine.written import Written, joined
from escalatord.store import standin
from escalatord.store.rows import JournalEntry, JournalRow, OutboxRow
from escalatord.store.standin import About, Contents, StandIn
from escalatord.store.store import Store
from escalatord.store.tx import Tx

CARRIED_AT_ONCE = 100
ENTRIES_TOLD_MAX = 1_000_000
DEEDS_MAX = 100_000
"""Past it: an incident that was changed elsewhere meanwhile learns of attempts alone, not of what else happened."""
SENT = (Attempt.SENDING, Attempt.ACCEPTED, Attempt.DELIVERED)

log = get_logger(component="outage")

Attempts: TypeAlias = Mapping[str, OutboxRow]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """A transaction in memory: what was asked, and which incidents it changed."""

    at: datetime
    commands: tuple[Command | Due, ...]
    changed: Collection[int]


@dataclass(slots=True)
class Memory:
    """What an outage began with, and what happened in it. `bases` are incidents as the database has them.

    `told` is the last number of the database's journal that anybody has heard of.

    `carried` says up to which deed and which entry of the stand-in's journal an incident is carried over.
    """

    began_at: datetime
    bases: dict[int, About]
    told: int
    deeds: list[Deed] = field(default_factory=list)
    carried: dict[int, tuple[int, int]] = field(default_factory=dict)

    def did(self, deed: Deed) -> None:
        """Remember a transaction."""
        if len(self.deeds) < DEEDS_MAX:
            self.deeds.append(deed)


@dataclass(slots=True)
class Carried:
    """What came of it: versions of incidents as stored, and those changed elsewhere too.

    Of the last portion also what nobody has heard of yet: the journal's entries, and the number of the last one.
    """

    entries: list[JournalEntry] = field(default_factory=list)
    seq: int = 0
    versions: dict[int, int] = field(default_factory=dict)
    changed_elsewhere: list[int] = field(default_factory=list)


def carry_over(kept: Store, batch: Batch, memory: Memory, stand_in: StandIn, now: datetime) -> Written:
    """Carry over all that happened in memory, and return what was written.

    Raise StoreUnavailableError when the database is away again; what was carried over by then is not done again.
    """
    contents = stand_in.read(standin.contents)
    last = contents.journal[-1].seq if contents.journal else 0
    parts: list[Carried] = []
    for numbers in in_order(memory, contents):
        part = _commit(kept, batch, partial(_carry, batch, memory, contents, now, numbers))
        for number in numbers:
            about = contents.held[number]
            stored = replace(about.incident, version=part.versions.get(number, 0))
            memory.bases[number] = About(stored, about.attempts, about.codes, about.digests)
            memory.carried[number] = (len(memory.deeds), last)
        parts.append(part)
    incidents = [number for part in parts for number in part.versions]
    elsewhere = [number for part in parts for number in part.changed_elsewhere]
    seconds = round((now - memory.began_at).total_seconds(), 1)
    body = {"since": memory.began_at.isoformat(timespec="seconds"), "seconds": seconds, "incidents": len(incidents)}
    last_part = _commit(kept, batch, lambda tx: Portion(tx, batch, memory, contents, now).tell("database_away", body))
    log.warning("the database is back", **body, changed_elsewhere=len(elsewhere))
    return replace(
        joined((), now),
        changed=tuple(incidents),
        entries=tuple(last_part.entries),
        seq=last_part.seq,
        outbox=frozenset({ANY_LANE}),
        held_back=batch.around.held_back(),
    )


def _carry(batch: Batch, memory: Memory, contents: Contents, now: datetime, numbers: Sequence[int], tx: Tx) -> Carried:
    return Portion(tx, batch, memory, contents, now).carry(numbers)


def in_order(memory: Memory, contents: Contents) -> list[list[int]]:
    """Return the incidents of which anything happened, in portions: first those to which a human said something."""
    told = {row.entry.incident for row in contents.journal if _is_new(memory, row)}
    told |= {number for number, about in contents.held.items() if about.attempts != memory.bases[number].attempts}
    answered = {c.incident for deed in memory.deeds for c in deed.commands if isinstance(c, Answer)}

    def need(number: int) -> tuple[bool, int, int]:
        return number not in answered, -contents.held[number].incident.severity.rank, number

    numbers = sorted(told & contents.held.keys(), key=need)
    return [numbers[start : start + CARRIED_AT_ONCE] for start in range(0, len(numbers), CARRIED_AT_ONCE)]


class Portion:
    """A few incidents on their way into the database, inside one transaction."""

    def __init__(self, tx: Tx, batch: Batch, memory: Memory, contents: Contents, now: datetime) -> None:
        self.done = Carried()
        self._tx = tx
        self._batch = batch
        self._memory = memory
        self._contents = contents
        self._now = tx.standing.now or now
        self._names: dict[str, str] = {}
        """What the database calls an attempt of memory, where an incident was changed meanwhile."""
        self._entries: dict[int, list[JournalEntry]] = {}
        for row in contents.journal:
            if _is_new(memory, row):
                self._entries.setdefault(row.entry.incident, []).append(row.entry)

    def carry(self, numbers: Sequence[int]) -> Carried:
        """Carry over these incidents, and return what came of it."""
        stored = self._tx.load(numbers)
        self._batch.know_policies(self._tx, {track.policy for each in stored.values() for track in each.tracks})
        closed: list[int] = []
        for number in numbers:
            theirs = stored.get(number)
            if theirs is None:
                continue
            ours, base = self._contents.held[number], self._memory.bases[number]
            if theirs.version == base.incident.version:
                self._become(theirs, base, ours)
            else:
                self._happen_again(theirs, base, ours)
            if theirs.state is not State.RESOLVED and ours.incident.state is State.RESOLVED:
                closed.append(number)
            self._carry_answers(number, base, ours)
        self._look_after(closed)
        self.done.versions = standin.versions_of(self._tx, numbers, only_open=False)
        return self.done

    def tell(self, kind: str, body: Mapping[str, object]) -> Carried:
        """Write down what concerns the daemon itself, and what it had to write down meanwhile."""
        entry = JournalEntry(incident=0, at=self._now, actor="escalatord", via=Via.CLOCK, kind=kind, body=body)
        self.done.seq = self._tx.append([*self._entries.get(0, ()), entry])
        # from the journal itself: an answer to a COMMIT may have been lost, and what it wrote is news too
        rows = self._tx.journal_after(self._memory.told, ENTRIES_TOLD_MAX)
        self.done.entries = [row.entry for row in rows]
        return self.done

    # ------------------------------------------------------------------------------------------------ private

    def _become(self, theirs: Incident, base: About, ours: About) -> None:
        """Nobody changed it meanwhile: it becomes what it became in memory."""
        if ours.incident != replace(base.incident, version=ours.incident.version):
            self._tx.save([replace(ours.incident, version=theirs.version)])
        self._tx.append([*self._entries.get(theirs.number, ()), self._remark(theirs.number, "from_memory", {})])
        known = {row.reference: row for row in self._tx.outbox_of(theirs.number)}
        changed = {r: row for r, row in ours.attempts.items() if row != base.attempts.get(r)}
        merged = [_merged(known.get(r), base.attempts.get(r), row) for r, row in changed.items()]
        standin.replace_attempts(self._tx, merged)

    def _happen_again(self, theirs: Incident, base: About, ours: About) -> None:
        """Let what happened in memory happen to the incident as the database has it."""
        number = theirs.number
        self.done.changed_elsewhere.append(number)
        for deed in self._memory.deeds[self._memory.carried.get(number, (0, 0))[0] :]:
            self._again(number, deed, ours.attempts)
        changed = [row for r, row in ours.attempts.items() if row != base.attempts.get(r)]
        changed.sort(key=lambda row: (row.due_at, row.reference))
        pairs = [(row, self._counterpart(row)) for row in changed]
        merged = [_merged(known, base.attempts.get(row.reference), row) for row, known in pairs if known is not None]
        standin.replace_attempts(self._tx, merged)
        lost = [row for row, known in pairs if known is None and row.state in SENT]
        entries = [self._remark(number, "sent_from_memory", _told(row)) for row in lost]
        self._tx.append([*entries, self._remark(number, "from_memory", {"changed_elsewhere": True})])

    def _again(self, number: int, deed: Deed, attempts: Attempts) -> None:
        batch, tx = self._batch, self._tx
        unit = Unit(tx, deed.at, batch.world, batch.link_key, batch.around)
        for command in deed.commands:
            if isinstance(command, Answer) and command.incident == number:
                handlers.answer(unit, command)
            elif isinstance(command, Due) and number in deed.changed:
                unit.happen(unit.incident(number), TimersDue())
            elif isinstance(command, Receipt) and command.reference in attempts:
                known = self._counterpart(attempts[command.reference])
                if known is not None:
                    handlers.receipt(unit, replace(command, reference=known.reference, claims=0))
        unit.flush()

    def _counterpart(self, ours: OutboxRow) -> OutboxRow | None:
        """Return the attempt of the database that is the one of memory: by its reference, else by what it says to whom.

        One step more on one side gives all later messages other references: the same page must not go out twice for it.
        """
        known = {row.reference: row for row in self._tx.outbox_of(ours.incident)}
        name = self._names.get(ours.reference, ours.reference)
        if name in known and _says(known[name]) == _says(ours):
            self._names[ours.reference] = name
            return known[name]
        taken = {*self._names.values(), *self._memory.bases[ours.incident].attempts}
        for row in known.values():
            if row.reference not in taken and not row.claims and _says(row) == _says(ours):
                self._names[ours.reference] = row.reference
                return row
        return None

    def _carry_answers(self, number: int, base: About, ours: About) -> None:
        """Let codes, links and digests that were given out from memory be understood for good."""
        tx = self._tx
        for person, code in ours.codes.items():
            if person not in base.codes and code.code not in tx.codes_in_use(person, self._now):
                tx.assign_codes([code])
        tx.add_links([link for link in self._contents.links if link.incident == number])
        for reference, (made, members) in self._contents.digests.items():
            if reference in ours.attempts and tx.digest(reference) is None:
                tx.add_digest(made, members)

    def _look_after(self, closed: Sequence[int]) -> None:
        """What was muted by an incident that closed in memory is looked at now."""
        if not closed:
            return
        unit = Unit(self._tx, self._now, self._batch.world, self._batch.link_key, self._batch.around)
        for number in closed:
            self._tx.release_codes(number, self._now)
        if unit.around.needed:
            unit.settled += unit.around.closed(closed)
        intake.look_soon(unit, unit.around.take_due() if unit.around.has_due else ())
        unit.flush()

    def _remark(self, number: int, kind: str, body: Mapping[str, object]) -> JournalEntry:
        since = {"since": self._memory.began_at.isoformat(timespec="seconds"), **body}
        return JournalEntry(incident=number, at=self._now, actor="escalatord", via=Via.CLOCK, kind=kind, body=since)


def _commit(kept: Store, batch: Batch, work: Callable[[Tx], Carried]) -> Carried:
    """Commit a portion; what rules look at beside an alert follows what is committed."""
    try:
        done = kept.settle(work)
    except BaseException:
        batch.around.undo()
        raise
    batch.around.keep()
    return done


def _is_new(memory: Memory, row: JournalRow) -> bool:
    """Return whether an entry of the stand-in's journal is not carried over yet."""
    return row.seq > memory.carried.get(row.entry.incident, (0, 0))[1]


def _merged(theirs: OutboxRow | None, base: OutboxRow | None, ours: OutboxRow) -> OutboxRow:
    """Return an attempt as both know it; what only one of them changed is as that one has it."""
    if theirs is None or theirs == base:
        return ours  # nobody else knew of it, or did anything with it
    state = advance(theirs.state, ours.state)
    newer = ours if state == ours.state else theirs
    return replace(
        newer,
        reference=theirs.reference,
        claims=max(theirs.claims, ours.claims),
        provider_id=newer.provider_id or theirs.provider_id or ours.provider_id,
        sent_at=theirs.sent_at or ours.sent_at,
    )


def _says(row: OutboxRow) -> tuple[str, str, str, str, int]:
    """Return what an attempt says to whom, by which way."""
    return row.kind, row.person, row.channel, row.track, row.tier


def _told(row: OutboxRow) -> dict[str, object]:
    return {
        "reference": row.reference,
        "person": row.person,
        "channel": row.channel,
        "track": row.track,
        "tier": row.tier,
        "notice": row.kind.value,
        "state": row.state.value,
        "provider_id": row.provider_id,
    }
