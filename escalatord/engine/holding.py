"""What is held in memory for the hours in which the database is away: the open incidents that soon come due.

- Fed after each commit with what its unit of work changed: one reference to it, looked at later. A read every few
  seconds finds what comes due soon and is not held yet, and what another node changed.
- Held is only what is whole: opened here, or read from the database. What is known by halves is read at the next look.
- Bounded: past INCIDENTS_HELD_MAX the most severe and the earliest due stay. What is not held waits for the database.
- Where several nodes share the database, a node holds only what it opened itself. So no two nodes hold the same.

Only the writer thread changes it; `look` runs in the reader thread and changes nothing.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from escalatord.core.incident import Attempt, Incident, State
from escalatord.core.policy import Policy
from escalatord.core.values import replace
from escalatord.engine.budgets import SPENT
from escalatord.engine.commands import Claimed
from escalatord.engine.effects import is_withdrawn
from escalatord.engine.unit import Unit
from escalatord.store import standin
from escalatord.store.answers import CODE_REST_SECONDS
from escalatord.store.rows import CodeRow
from escalatord.store.standin import UNSETTLED, About, Besides
from escalatord.store.tx import Tx

INCIDENTS_HELD_MAX = 2_000
"""Past it: the most severe and the earliest due are held, the others wait until the database is back."""
HORIZON = timedelta(minutes=20)
"""What comes due within it is held: what the database's absence is survived by, and some."""
NEWS_MAX = 4_000
"""So many changed rows are looked at later; then they are looked at now."""
CODES_HELD_MAX = 5_000
"""Past it: whoever is paged from memory for the first time gets no reply code, but a link."""
OPENED_HERE_MAX = 10_000
"""Past it: the incidents opened longest ago are no longer held where several nodes share the database."""
UNKNOWN_MAX = 5_000
"""Past it: what is known by halves is found when it comes due soon."""


class Found(NamedTuple):
    """What one look at the database found: versions of what should be held, what was missing, and what is beside it."""

    versions: Mapping[int, int]
    read: Mapping[int, About]
    policies: Mapping[str, Policy]
    besides: Besides


class Holding:
    """Open incidents with all that their pages rest on. `shared` = other nodes use the same database."""

    def __init__(self, *, shared: bool) -> None:
        self.incidents: dict[int, About] = {}
        self.policies: dict[str, Policy] = {}
        self.besides = Besides()
        self.unknown: set[int] = set()
        """Changed since the last look, and not held as a whole."""
        self._touched: set[int] = set()
        self._full_of = -1
        """The least severity held when there is no room, by its rank; -1 = there is room."""
        self._shared = shared
        self._opened_here: dict[int, None] = {}
        self._news: list[tuple[Unit, tuple[Claimed, ...]]] = []
        self._rows = 0

    def note(self, unit: Unit, results: Iterable[object]) -> None:
        """Take note of a commit: what its unit changed, and which messages it handed out."""
        rows = len(unit.changed) + len(unit.alike) + len(unit.attempts)
        if rows:
            claimed = tuple(each for result in results if isinstance(result, tuple) for each in result)
            self._news.append((unit, claimed))
            self._rows += rows
            if self._rows > NEWS_MAX:
                self.fold()

    def fold(self) -> None:
        """Look at the commits that were noted."""
        news, self._news, self._rows = self._news, [], 0
        for unit, claimed in news:
            self._take_unit(unit)
            self._take_alike(unit)
            for each in claimed:
                self._take_code(each)
        if len(self.incidents) > INCIDENTS_HELD_MAX:
            self._let_go()

    def begin_look(self) -> frozenset[int]:
        """Return what a look should ask for beside what is due; what changes from now on is known by halves again."""
        self.fold()
        unknown, self.unknown = frozenset(self.unknown), set()
        self._touched.clear()
        return unknown

    def look(self, tx: Tx, now: datetime, unknown: frozenset[int]) -> Found:
        """Read what should be held and is not, or is no longer as it is held."""
        versions = self._candidates(tx, now, unknown)
        held = self.incidents
        missing = [n for n, version in versions.items() if (known := held.get(n)) is None or _version(known) < version]
        read = standin.about(tx, missing)
        pinned = {track.policy for each in read.values() for track in each.incident.tracks}
        rested_since = now - timedelta(seconds=CODE_REST_SECONDS)
        besides = Besides(
            codes=standin.codes_in_use(tx, rested_since, CODES_HELD_MAX),
            tokens=tx.tokens(),
            settings={name: value for name in (SPENT,) if (value := tx.setting(name)) is not None},
        )
        return Found(versions, read, tx.policies(pinned - self.policies.keys()), besides)

    def end_look(self, found: Found) -> None:
        """Take in what a look found, but for what was changed since it began."""
        self.fold()
        held = self.incidents
        for number, about in found.read.items():
            if number not in self._touched and number not in self.unknown:
                held[number] = about
        for number in held.keys() - found.versions.keys() - self._touched:
            if not _is_busy(held[number]):
                del held[number]
        if len(held) < INCIDENTS_HELD_MAX:
            self._full_of = -1
        self.besides = found.besides
        self.policies.update(found.policies)
        used = {track.policy for about in held.values() for track in about.incident.tracks}
        self.policies = {digest: policy for digest, policy in self.policies.items() if digest in used}
        if self._shared:
            self._opened_here = {n: None for n in self._opened_here if n in held or n in self.unknown}

    def clear(self) -> None:
        """Forget all: it is read again."""
        self._full_of = -1
        self.unknown.update(self._opened_here)
        self._news, self._rows = [], 0
        self.incidents.clear()

    @property
    def gives_codes(self) -> bool:
        """Return whether all reply codes in use are known, so that free ones can be told."""
        return not self._shared and len(self.besides.codes) < CODES_HELD_MAX

    # ------------------------------------------------------------------------------------------------- private

    def _candidates(self, tx: Tx, now: datetime, unknown: frozenset[int]) -> dict[int, int]:
        if self._shared:
            return standin.versions_of(tx, list(self._opened_here), only_open=True)
        versions = standin.due_soon(tx, now + HORIZON, INCIDENTS_HELD_MAX)
        room = INCIDENTS_HELD_MAX - len(versions)
        more = [number for number in unknown if number not in versions][: max(0, room)]
        return versions | standin.versions_of(tx, more, only_open=True)

    def _take_alike(self, unit: Unit) -> None:
        """Take in incidents that opened like others: what is held of them are objects."""
        for number, (opening, words) in unit.alike.items():
            self._touched.add(number)
            if opening.incident.severity.rank > self._full_of:
                own = opening.by(words)
                held = About(replace(own.incident, version=1), {row.reference: row for row in own.rows})
                self.incidents[number] = held
                if self._shared:
                    self._remember(number)

    def _take_unit(self, unit: Unit) -> None:
        held = self.incidents
        self._touched.update(unit.changed)
        for number, incident in unit.changed.items():
            if number in held:
                held[number].incident = replace(incident, version=incident.version + 1)
            elif not incident.version and incident.severity.rank <= self._full_of:
                continue  # a storm: those that are held are no less severe, and due earlier
            elif not incident.version:
                held[number] = About(replace(incident, version=1))
                if self._shared:
                    self._remember(number)
            elif len(self.unknown) < UNKNOWN_MAX and (not self._shared or number in self._opened_here):
                self.unknown.add(number)
        for number, taken_back in unit.withdrawals:
            about = held.get(number)
            for row in list(about.attempts.values()) if about is not None else ():
                if about is not None and row.state is Attempt.PENDING and is_withdrawn(row, number, taken_back):
                    about.attempts[row.reference] = replace(row, state=Attempt.WITHDRAWN)
        for row in (*unit.outbox, *unit.attempts.values()):
            about = held.get(row.incident)
            if about is not None:
                about.attempts[row.reference] = row
            elif row.reference in unit.attempts and not self._shared and len(self.unknown) < UNKNOWN_MAX:
                self.unknown.add(row.incident)
        for reference, made in unit.digests.items():
            digest = unit.attempts.get(reference)
            if digest is not None and digest.incident in held:
                held[digest.incident].digests[reference] = made

    def _take_code(self, claimed: Claimed) -> None:
        row = claimed.row
        about = self.incidents.get(row.incident)
        if about is not None and claimed.code and row.person and row.reference not in about.digests:
            code = CodeRow(person=row.person, code=claimed.code, incident=row.incident, track=row.track)
            about.codes.setdefault(row.person, code)

    def _remember(self, number: int) -> None:
        self._opened_here[number] = None
        if len(self._opened_here) > OPENED_HERE_MAX:
            oldest = next(iter(self._opened_here))
            del self._opened_here[oldest]
            self.incidents.pop(oldest, None)

    def _let_go(self) -> None:
        """Keep the most severe and the earliest due."""
        # nearly all that a storm opens is looked at once, here or not at all
        by_need = sorted(self.incidents.items(), key=lambda item: _need(item[1].incident))
        self.incidents = dict(by_need[:INCIDENTS_HELD_MAX])
        self._full_of = by_need[INCIDENTS_HELD_MAX - 1][1].incident.severity.rank


def _need(incident: Incident) -> tuple[bool, int, float]:
    """Return what sorts first whose pages must go on first."""
    over = incident.state is State.RESOLVED or incident.next_due_at is None
    due_at = incident.next_due_at.timestamp() if incident.next_due_at is not None else 0.0
    return over, -incident.severity.rank, due_at


def _version(about: About) -> int:
    return about.incident.version


def _is_busy(about: About) -> bool:
    """Return whether something of an incident still waits to be sent, or to be heard of."""
    return any(row.state in UNSETTLED for row in about.attempts.values())
