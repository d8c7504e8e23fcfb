"""A unit of work: everything one transaction will write, gathered in memory first.

A command reads through the unit and leaves its changes in it; a command that fails is taken back out of it alone, and
the rest of the batch goes on. `flush` writes each table once, whatever the number of commands.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import TypeVar

from escalatord.core.alert import Alert
from escalatord.core.escalation import step
from escalatord.core.events import AlertFired, Effect, Event, Notify, Outcome, Record, Withdraw
from escalatord.core.incident import Attempt, Incident, NoticeKind, State, Via
from escalatord.core.invariants import violations
from escalatord.core.mutes import MuteKind, SuppressedBy
from escalatord.core.policy import Policy
from escalatord.core.rules import AlertRecord, Verdict
from escalatord.core.ruleset import World
from escalatord.core.values import replace
from escalatord.engine.effects import PAGE_KINDS, attempt_of, entry_of, is_withdrawn
from escalatord.engine.fired import Told
from escalatord.engine.openings import Alike, Opening, Openings, kind_of, kind_of_event
from escalatord.engine.page_counts import PageCounts, wanted
from escalatord.engine.surroundings import Surroundings
from escalatord.store.forms import Printed
from escalatord.store.rows import DigestRow, JournalEntry, MemberRow, OutboxRow
from escalatord.store.tx import Tx

K = TypeVar("K")
V = TypeVar("V")

ANSWERED_KINDS = PAGE_KINDS | {NoticeKind.MILESTONE, NoticeKind.HANDOVER}
"""Messages that come with a code and a link to answer by."""
CALL_OFF_KINDS = frozenset({NoticeKind.ACKED, NoticeKind.STAND_DOWN})
NEVER_SENT = frozenset({Attempt.PENDING, Attempt.WITHDRAWN})


class Unit:
    """What one transaction is going to write."""

    def __init__(self, tx: Tx, now: datetime, world: World, link_key: bytes, around: Surroundings) -> None:
        self.tx = tx
        self.around = around
        self.came: dict[str, None] = {}
        self.arrived: dict[str, int] = {}
        self.now = now
        self.world = world
        self.link_key = link_key
        self.retries: list[datetime] = []
        self.new_expected = 0
        self._numbers: list[int] = []
        self.incidents: dict[int, Incident] = {}
        self.changed: dict[int, Incident] = {}
        self.by_key: dict[str, int] = {}
        self.over_by_key: dict[str, int] = {}
        self.alerts: dict[tuple[str, str], AlertRecord] = {}
        self.changed_alerts: dict[tuple[str, str], Verdict | None] = {}
        self.seen_alerts: dict[tuple[str, str], None] = {}
        self.newly_muted: dict[tuple[str, str], MuteKind] = {}
        self.journal: list[JournalEntry] = []
        self.outbox: list[OutboxRow] = []
        self.attempts: dict[str, OutboxRow] = {}
        self.changed_attempts: dict[str, OutboxRow] = {}
        self.counts: PageCounts | None = None
        self.withdrawals: list[tuple[int, Withdraw]] = []
        self.closed: list[int] = []
        self.reopened: dict[int, None] = {}
        self.limited: list[tuple[str, str]] = []
        self.digests: dict[str, tuple[DigestRow, tuple[MemberRow, ...]]] = {}
        self.settled: list[tuple[str, str]] = []
        """Alerts that keep nobody quiet any more because their incident is over."""
        self.broken: list[tuple[int, str]] = []
        self._openings = Openings()
        self._alike: dict[int, Alike | None] = {}
        self._undo: list[tuple[dict[object, object], object, object]] = []
        self._marks: tuple[int, int, int, int] = (0, 0, 0, 0)
        self._mark_around = 0
        self._outbox_before = self.outbox

    # --------------------------------------------------------------------------------------- one command at a time

    def begin(self) -> None:
        """Remember where a command starts."""
        self._undo.clear()
        self._mark_around = self.around.mark()
        self._marks = (len(self.journal), len(self.outbox), len(self.withdrawals), len(self.closed))
        self._outbox_before = self.outbox  # a withdrawal makes a new list; this one is only ever appended to

    def take_back(self) -> None:
        """Undo everything since `begin`."""
        for mapping, key, old in reversed(self._undo):
            if old is _ABSENT:
                mapping.pop(key, None)
            else:
                mapping[key] = old
        self._undo.clear()
        self.around.undo(self._mark_around)
        journal, outbox, withdrawals, closed = self._marks
        self.outbox = self._outbox_before
        del self.journal[journal:], self.outbox[outbox:], self.withdrawals[withdrawals:], self.closed[closed:]

    def put(self, mapping: dict[K, V], key: K, value: V) -> None:
        """Set a value that `take_back` can undo."""
        self._undo.append((mapping, key, mapping.get(key, _ABSENT)))  # type: ignore[arg-type] # one log for all
        mapping[key] = value

    # -------------------------------------------------------------------------------------------------- incidents

    def know(self, found: Mapping[int, Incident]) -> None:
        """Take in incidents just read, unless the unit has newer ones."""
        for number, incident in found.items():
            self.incidents.setdefault(number, incident)
            if incident.state is not State.RESOLVED:
                self.by_key.setdefault(incident.key, number)

    def incident(self, number: int) -> Incident | None:
        """Return an incident as it is by now, reading it when it is not known yet."""
        if number in self._alike:
            self._fill_in(number)
        if number not in self.incidents:
            self.know(self.tx.load((number,)))
        return self.incidents.get(number)

    def open_of(self, key: str) -> Incident | None:
        """Return the open incident of a key, reading it when it is not known yet."""
        if key not in self.by_key:
            self.know({incident.number: incident for incident in self.tx.load_open((key,)).values()})
            self.by_key.setdefault(key, 0)
        number = self.by_key[key]
        return self.incident(number) if number else None

    def know_no_other(self, keys: Iterable[str]) -> None:
        """Take note that of these keys nothing is open but what is known by now: nobody has to ask again."""
        for key in keys:
            self.by_key.setdefault(key, 0)

    def over_of(self, key: str) -> Incident | None:
        """Return the incident of a key that was opened last of those that are over."""
        if key not in self.over_by_key:
            self.know_over(self.tx.load_over((key,)), (key,))
        number = self.over_by_key[key]
        return self.incident(number) if number else None

    def know_over(self, found: Mapping[str, Incident], keys: Iterable[str]) -> None:
        """Take in incidents that are over, of these keys; the others have none."""
        for key in keys:
            known = found.get(key)
            self.over_by_key.setdefault(key, known.number if known is not None else 0)
            if known is not None:
                self.incidents.setdefault(known.number, known)

    def open_of_services(self, services: Iterable[str]) -> dict[str, int]:
        """Return an open incident of each of these services that has one, in their order."""
        wanted = tuple(services)
        self.all_known()
        found = self.tx.open_of_services(wanted) if wanted else {}
        for incident in self.changed.values():
            if incident.state is State.RESOLVED and found.get(incident.service) == incident.number:
                del found[incident.service]
            elif incident.state is not State.RESOLVED and incident.service in wanted:
                found.setdefault(incident.service, incident.number)
        return {service: found[service] for service in wanted if service in found}

    @property
    def over(self) -> list[int]:
        """Return the incidents that this transaction closes, and leaves closed."""
        return [number for number in self.closed if self.incidents[number].state is State.RESOLVED]

    def next_number(self) -> int:
        """Return an incident number never given before; read in one go for as many as the batch expects to open."""
        if not self._numbers:
            self._numbers = self.tx.next_numbers(max(1, self.new_expected))[::-1]
            self.new_expected = 0
        return self._numbers.pop()

    def happen(self, incident: Incident | None, event: Event, policies: Mapping[str, Policy] | None = None) -> Outcome:
        """Let an event happen to an incident: one step, its effects kept for the flush."""
        world = self.world
        if self.counts is not None and self._chosen_by(incident, event):
            world = replace(world, paged=self.counts.now(self.journal))
        if policies and not policies.keys() <= world.policies.keys():
            world = replace(world, policies={**world.policies, **policies})
        # who chooses by what was paged so far opens each anew
        is_first = incident is None and world is self.world and isinstance(event, AlertFired)
        kind = kind_of_event(event, world.ruleset) if is_first and isinstance(event, AlertFired) else None
        journal, outbox = len(self.journal), len(self.outbox)
        outcome = step(incident, event, self.now, world)
        after = outcome.incident
        if after is not None and after is not incident:
            was_over = incident is not None and incident.state is State.RESOLVED
            self._put(after)
            if after.state is State.RESOLVED and incident is not None and not was_over:
                self.closed.append(after.number)
                self.put(self.over_by_key, after.key, after.number)
            elif was_over and after.state is not State.RESOLVED:
                self.put(self.reopened, after.number, None)
            for effect in outcome.effects:
                self._keep(after, effect)
            if kind is not None:
                opening = Opening(after, tuple(self.outbox[outbox:]), tuple(self.journal[journal:]))
                self._openings.keep(kind, world, opening)
        return outcome

    def open_like(self, place: Told, alert: Alert, verdict: Verdict, muted: SuppressedBy | None) -> bool:
        """Open an incident as one of its kind was opened in this transaction; False when none was."""
        opening = self._openings.like(kind_of(alert, verdict), self.world)
        if opening is None:
            return False
        words = self._openings.words(self.world.ruleset, alert, verdict, place, muted)
        self.put(self._alike, place.number, Alike(opening, words))
        self.put(self.by_key, place.key, place.number)
        if self.counts is not None:
            self._fill_in(place.number)  # its pages are counted in the journal
        return True

    def all_known(self) -> list[Incident]:
        """Return every incident that is known by now, those that opened like another one too."""
        for number in self._alike:
            self._fill_in(number)
        return list(self.incidents.values())

    @property
    def alike(self) -> dict[int, Alike]:
        """Return the incidents that opened like another one, and to which nothing else has happened yet."""
        return {number: one for number, one in self._alike.items() if one is not None}

    def _fill_in(self, number: int) -> None:
        alike = self._alike[number]
        if alike is not None:
            self.put(self._alike, number, None)
            opening = alike.opening.by(alike.words)
            self._put(opening.incident)
            self.outbox += opening.rows
            self.journal += opening.entries

    def _chosen_by(self, incident: Incident | None, event: Event) -> bool:
        """Return whether a tier that the event could enter chooses by how often people were paged."""
        policies = list(event.policies) if isinstance(event, AlertFired) else []
        for track in incident.tracks if incident is not None else ():
            policies += filter(None, (self.world.policies.get(track.policy),))
        return wanted(policies)

    def _put(self, incident: Incident) -> None:
        self.put(self.incidents, incident.number, incident)
        self.put(self.changed, incident.number, incident)
        self.put(self.by_key, incident.key, incident.number if incident.state is not State.RESOLVED else 0)

    def attempt(self, reference: str) -> OutboxRow | None:
        """Return an attempt as it is by now, reading it when it is not known yet."""
        if reference not in self.attempts:
            self.attempts.update(self.tx.outbox_many((reference,)))
        return self.attempts.get(reference)

    def change_attempt(self, before: OutboxRow, after: OutboxRow) -> None:
        """Let an attempt known to the unit become `after`."""
        if before.reference not in self.changed_attempts:
            self.put(self.changed_attempts, before.reference, before)
        self.put(self.attempts, before.reference, after)

    def write_attempts(self) -> None:
        """Write what was learned of attempts: before rows are claimed or withdrawn by what the table says of them."""
        if self.changed_attempts:
            changes = [(before, self.attempts[key]) for key, before in self.changed_attempts.items()]
            self.changed_attempts.clear()
            self.tx.outbox_save(changes)

    def record(self, kind: str, body: Mapping[str, object], *, actor: str = "escalatord", via: Via = Via.CLOCK) -> None:
        """Add a journal entry of the daemon itself."""
        self.journal.append(JournalEntry(incident=0, at=self.now, actor=actor, via=via, kind=kind, body=body))

    def note(self, row: OutboxRow, kind: str, body: Mapping[str, object]) -> None:
        """Write into an incident's journal what became of one of its messages; it changes nothing of the incident."""
        incident = self.incidents[row.incident]
        facts = {"policy": incident.policy, "severity": incident.opened_severity.value, "track": row.track}
        self.journal.append(
            JournalEntry(
                incident=row.incident,
                at=self.now,
                actor=row.person or "escalatord",
                via=Via.CLOCK,
                kind=kind,
                body={**facts, "person": row.person, **body},
                policy=incident.main.policy,
            )
        )

    def outbox_due_at(self, at: datetime) -> None:
        """Note that an attempt is to be tried again at `at`."""
        if at not in self.retries:
            self.retries.append(at)

    def _keep(self, incident: Incident, effect: Effect) -> None:
        match effect:
            case Notify():
                self.outbox.append(attempt_of(incident, effect, self.world.ruleset.channels, self.now))
            case Withdraw():
                self.withdrawals.append((incident.number, effect))
                self.outbox = [row for row in self.outbox if not is_withdrawn(row, incident.number, effect)]
            case Record():
                self.journal.append(entry_of(incident, effect, self.now))

    # ------------------------------------------------------------------------------------------------------ writing

    def flush(self) -> int:
        """Write everything; return the last journal sequence (0 when nothing was journaled)."""
        tx = self.tx
        opened = self._printed()
        for number, incident in self.changed.items():
            for name in violations(incident):
                self.broken.append((number, name))
                self.record("invariant_violated", {"incident": number, "invariant": name})
        if self.changed or opened:
            tx.save(list(self.changed.values()), opened)
        seq = tx.append(self.journal, opened) if self.journal or opened else 0
        self.write_attempts()
        for number, taken_back in self.withdrawals:
            tx.outbox_withdraw(number, taken_back.track, "no longer needed", taken_back.person)
        rows = self._worth_sending() if self.withdrawals else self.outbox
        if rows or opened:
            tx.outbox_add(rows, opened)
        for number in self.reopened:
            tx.hold_codes(number)
        for number in self.over:
            tx.release_codes(number, self.now)
        if self.changed_alerts:
            tx.save_alerts([(self.alerts[key], verdict) for key, verdict in self.changed_alerts.items()])
        if tx.standing.now is not None and self.around.needed:
            tx.nodes.tell(dict.fromkeys([*self.changed_alerts, *self.settled]), self.now)
        for source, seen in groupby(sorted(self.seen_alerts), itemgetter(0)):
            tx.touch_alerts(source, [fingerprint for _source, fingerprint in seen], self.now)
        self.outbox = rows
        return seq

    def _printed(self) -> list[Printed]:
        """Return the rows of those that opened like another one; those of which no form can be made are filled in."""
        printed = []
        for number, (opening, words) in self.alike.items():
            if opening.form is None:
                self._fill_in(number)
            else:
                printed.append(opening.form.fill(words))
        return printed

    def _worth_sending(self) -> list[OutboxRow]:
        """Leave out the call-offs for people whose pages never went out: they were never woken."""
        reached: dict[int, set[str]] = {}
        rows = []
        for row in self.outbox:
            if row.kind in CALL_OFF_KINDS:
                if row.incident not in reached:
                    sent = self.tx.outbox_of(row.incident)
                    reached[row.incident] = {
                        old.person for old in sent if old.kind in ANSWERED_KINDS and old.state not in NEVER_SENT
                    }
                if row.person not in reached[row.incident]:
                    continue
            rows.append(row)
        return rows


_ABSENT = object()
