"""The invariants I1 to I12 as far as an observer of a running house can state them, one function each.

`Observer` calls them: at every send, at every answer to a sender, after every step, now and then, and at the end. What
it reads, it reads from outside, past the simulated disk.
"""

from collections import defaultdict
from datetime import timedelta
from typing import Any, TypeAlias

from escalatord.core.incident import Attempt, Cause, Incident, NoticeKind, State, TrackState, Via
from escalatord.core.invariants import violations
from escalatord.engine.claiming import still_wanted
from escalatord.engine.commands import Accepted, Ingested
from escalatord.engine.ledger import Ledger
from escalatord.engine.written import Written
from escalatord.notify.channel import Message
from escalatord.sim.bodies import Condition
from escalatord.store.outbox import DEMANDING_KINDS
from escalatord.store.rows import JournalRow, OutboxRow
from tests.sim.years.disk import Waiting
from tests.sim.years.faults import Faults
from tests.sim.years.life import Life
from tests.sim.years.senders import ALWAYS_PAGE, EXCEPTIONS, SOURCE, Senders

FIRST_PAGE_SECONDS_MAX = 20.0
OVERDUE_SECONDS_MAX = 15.0
GAP_SECONDS = 60.0
AFTER_GAP_SECONDS = 20.0
LOOK_AROUND_STEPS = 50
Place: TypeAlias = tuple[int, str, str, str]
CLIMBING = (TrackState.RUNNING, TrackState.LAST_RESORT)


class BrokenError(AssertionError):
    """An invariant does not hold. `number` is its number in the list of promises."""

    def __init__(self, number: str, say: str) -> None:
        super().__init__(f"{number}: {say}")
        self.number = number


class Observer:
    """Watches a life from outside."""

    def __init__(self, life: Life, senders: Senders, faults: Faults) -> None:
        self.life = life
        self.senders = senders
        self.faults = faults
        self.opened: dict[int, float] = {}
        self.awaited: dict[int, float] = {}
        self._known: dict[int, Incident] = {}
        self._changed: dict[int, None] = {}
        self._entries: defaultdict[int, int] = defaultdict(int)
        self._after_gap: dict[Place, str] = {}
        self._gap_until = 0.0
        self._steps = 0
        self._firing_quietly: dict[str, float] = {}

    # --------------------------------------------------------------------------------------- what it hears of

    def committed(self, written: Written) -> None:
        """Hear of a commit, once it is told."""
        self._changed.update(dict.fromkeys(written.changed))
        for entry in written.entries:
            self._entries[entry.incident] += 1
            if entry.via is not Via.CLOCK:  # somebody outside brought about what follows
                for place in [place for place in self._after_gap if place[0] == entry.incident]:
                    del self._after_gap[place]
            if entry.kind == "invariant_violated":
                raise BrokenError("I3", f"the engine itself says so: {entry.body}")
            if entry.kind == "command_failed":
                raise BrokenError("I2", f"a command failed: {entry.body}")
            if entry.kind in ("acknowledged", "resolved"):
                self._just_held(entry.incident)
            if entry.kind == "opened" and entry.incident not in self.opened:
                self.opened[entry.incident] = self.awaited[entry.incident] = self.life.clock.elapsed

    def _just_held(self, number: int) -> None:
        """Look at what waits at the very moment at which an ack (or the end) is told."""
        incident = self.life.store.peek(lambda tx: tx.load((number,)))[number]
        i6_nothing_unsent_on_a_held_track(incident, self.life.store.pending())

    def began(self, down_seconds: float) -> None:
        """Hear of a start after so long without a daemon."""
        if down_seconds >= GAP_SECONDS:
            self._after_gap.clear()
            self._gap_until = self.life.clock.elapsed + AFTER_GAP_SECONDS

    def sending(self, channel: str, message: Message) -> None:
        """Hear that a provider is about to be called."""
        row = self.life.look_at_ground(lambda tx: tx.outbox_get(message.reference))
        incident = self.life.look_at_ground(lambda tx: tx.load((message.incident,))).get(message.incident)
        i7_intent_before_call(message, row)
        assert row is not None
        assert incident is not None
        i6_no_page_after_ack(incident, row)
        if message.person and message.kind in (NoticeKind.PAGE, NoticeKind.LAST_RESORT):
            if self.life.clock.elapsed < self._gap_until:
                i8_no_burst_after_a_gap(
                    self._after_gap, (message.incident, message.track, message.person, channel), row
                )
            i8_no_ghost(incident, row)

    def answered(self, condition: Condition, done: Ingested, firing: bool) -> None:
        """Hear what a sender was answered."""
        for accepted in done.accepted:
            known = self.life.store.peek(lambda tx, a=accepted: tx.alerts(SOURCE, (a.fingerprint,)))  # type: ignore[misc]
            i1_durable_before_2xx(accepted, known)
            if firing:
                verdict = self.life.store.peek(lambda tx, a=accepted: tx.verdict_of(SOURCE, a.fingerprint))  # type: ignore[misc]
                i2_an_outcome(accepted, verdict)
                self._must_page(condition, known[accepted.fingerprint])

    def _must_page(self, condition: Condition, record: Any) -> None:
        name = condition.labels["alertname"]
        if name not in ALWAYS_PAGE:
            return
        number = "I4" if name in EXCEPTIONS else "I2"
        if not record.incident:
            raise BrokenError(number, f"{name} fires, is answered 2xx, and is in no incident")
        if name in EXCEPTIONS:
            incident = self.life.store.peek(lambda tx: tx.load((record.incident,)))[record.incident]
            i4_an_exception_is_one(incident)

    # -------------------------------------------------------------------------------------------- after a step

    def look(self) -> None:
        """Check what changed in the last step, and now and then what did not."""
        self._steps += 1
        life = self.life
        if life.defects:
            raise BrokenError("I2", life.defects[0])
        if not life.up or life.disk.dead:
            return
        if ended := life.ended_loops():
            raise BrokenError("I3", ended[0])
        # what a commit in doubt wrote is told when the database is back
        if self._changed and life.engine.outage.degraded is None:
            numbers, self._changed = self._changed, {}
            pending = life.store.pending()
            for incident in life.store.peek(lambda tx: tx.load(numbers)).values():
                i6_nothing_unsent_on_a_held_track(incident, pending)
                self._look_at(incident)
            self._entries.clear()
        if self._steps % LOOK_AROUND_STEPS == 0 or self.awaited:
            self._look_around()

    def _look_at(self, incident: Incident) -> None:
        before = self._known.get(incident.number)
        i3_always_a_next_step(incident)
        i5_no_tier_swallows(incident)
        i10_one_owner(incident)
        i12_no_change_without_an_entry(before, incident, self._entries[incident.number])
        if incident.state is State.RESOLVED:
            self._known.pop(incident.number, None)
            self.awaited.pop(incident.number, None)
        else:
            self._known[incident.number] = incident
            if incident.first_acked_at is not None:
                self.awaited.pop(incident.number, None)

    def _look_around(self) -> None:
        life = self.life
        calm = min(self.faults.calm_for(), life.clock.elapsed - life.up_since)
        for number, since in list(self.awaited.items()):
            if number in life.phones.first_created:
                del self.awaited[number]
            elif calm > FIRST_PAGE_SECONDS_MAX and life.clock.elapsed - since > FIRST_PAGE_SECONDS_MAX:
                raise BrokenError("I2", f"INC-{number} opened {life.clock.elapsed - since:.0f} s ago pages nobody")
        if calm > OVERDUE_SECONDS_MAX:
            i3_nothing_overdue(life)
            i7_nothing_stuck(life)
            self._i9_the_end_of_a_mute()

    def _i9_the_end_of_a_mute(self) -> None:
        """I9: what was quiet because of an open cause is judged when the cause is gone."""
        life = self.life
        for name, told in self.senders.told.items():
            if not told.firing or told.condition.labels["alertname"] != "SymptomA":
                continue
            record = life.store.peek(lambda tx, n=name: tx.alerts(SOURCE, (n,))).get(name)  # type: ignore[misc]
            open_ones = life.store.peek(lambda tx: tx.list_incidents((State.OPEN, State.ACKNOWLEDGED), 200))
            quieted = any(incident.rule == "network-down" and any(incident.firing) for incident in open_ones)
            if record is not None and record.firing and not record.incident and not quieted:
                since = self._firing_quietly.setdefault(name, life.clock.elapsed)
                if life.clock.elapsed - since > OVERDUE_SECONDS_MAX:
                    raise BrokenError("I9", f"{told.condition.labels} fires, its cause is over, and it pages nobody")
            else:
                self._firing_quietly.pop(name, None)

    # ---------------------------------------------------------------------------------------------- at the end

    def reckon(self) -> None:
        """Check what can be said of a whole life, after hours of calm."""
        life = self.life
        rows = life.store.peek(lambda tx: tx.journal_after(0, 10_000_000))
        i2_nothing_lost(life, self.opened, rows)
        i7_twice_only_when_nobody_could_know(life)
        i11_figures_are_the_journals(life, rows)
        for number in (0, *self.opened):
            if not life.store.peek(lambda tx, n=number: tx.verify(n)):  # type: ignore[misc]
                raise BrokenError("I12", f"the chain of incident {number} is broken")
        for name, told in self.senders.told.items():
            record = life.store.peek(lambda tx, n=name: tx.alerts(SOURCE, (n,))).get(name)  # type: ignore[misc]
            if record is None or record.firing != told.firing:
                raise BrokenError("I1", f"{told.condition.labels}: answered as firing={told.firing}, kept as {record}")


# ------------------------------------------------------------------------------------------------ one function each


def i1_durable_before_2xx(accepted: Accepted, known: dict[str, Any]) -> None:
    """I1: every alert answered 2xx has a committed row (a resolve of something unknown needs none)."""
    if accepted.fingerprint not in known and accepted.changed:
        raise BrokenError("I1", f"{accepted.fingerprint} was answered 2xx and is not in the database")


def i2_an_outcome(accepted: Accepted, verdict: dict[str, Any] | None) -> None:
    """I2: an accepted alert is in an incident, or the rules' reasons why not are kept."""
    if not accepted.incident and not (verdict and verdict.get("reasons")):
        raise BrokenError("I2", f"{accepted.fingerprint} is in no incident and nothing says why")


def i2_nothing_lost(life: Life, opened: dict[int, float], rows: list[JournalRow]) -> None:
    """I2: of every incident somebody was told, or somebody (or its sender) ended it before anybody could be."""
    paged_or_ended = set(life.phones.first_created)
    for row in rows:
        if row.entry.kind in ("acknowledged", "resolved", "closed", "recovered"):
            paged_or_ended.add(row.entry.incident)
    lost = [number for number in opened if number not in paged_or_ended]
    if lost:
        raise BrokenError("I2", f"nobody was ever told of incidents {lost[:5]}")


def i3_always_a_next_step(incident: Incident) -> None:
    """I3: an open incident has its deadlines, a closed one none."""
    if found := violations(incident):
        raise BrokenError("I3", f"{incident.label}: {', '.join(found)}")


def i3_nothing_overdue(life: Life) -> None:
    """I3: in calm times no deadline waits for more than 15 s."""
    due = life.store.peek(lambda tx: tx.next_due())
    if due is not None and due < life.clock.now() - timedelta(seconds=OVERDUE_SECONDS_MAX):
        raise BrokenError("I3", f"a deadline of {due.isoformat()} is overdue")


def i4_an_exception_is_one(incident: Incident) -> None:
    """I4: what an exception rule wants is opened as one, whatever else matches, with the tracks it adds."""
    if incident.cause is not Cause.EXCEPTION or incident.track("compliance") is None:
        raise BrokenError("I4", f"{incident.label} is {incident.cause} for an exception rule")


def i5_no_tier_swallows(incident: Incident) -> None:
    """I5: a track that runs pages somebody, and so does a last resort."""
    for track in incident.tracks:
        if track.state in CLIMBING and not track.pages:
            raise BrokenError("I5", f"{incident.label} {track.name} tier {track.tier} pages nobody")


def i6_no_page_after_ack(incident: Incident, row: OutboxRow) -> None:
    """I6: once an ack (or the end) is committed, no page of that track starts."""
    if not still_wanted(incident, row):
        states = {track.name: track.state.value for track in incident.tracks}
        raise BrokenError("I6", f"{row.reference} ({row.kind}) is sent though {incident.label} is {states}")


def i6_nothing_unsent_on_a_held_track(incident: Incident, pending: list[Waiting]) -> None:
    """I6: an ack withdraws what was not sent yet, in its own transaction."""
    for row in pending:
        if row.incident == incident.number and row.kind in DEMANDING_KINDS:
            track = incident.track(row.track)
            held = track is None or track.state not in (*CLIMBING, TrackState.ACKNOWLEDGED)
            if held or (track.state is TrackState.ACKNOWLEDGED and row.kind != NoticeKind.ACK_QUESTION):
                raise BrokenError("I6", f"{row.reference} ({row.kind}) still waits though {incident.label} is held")


def i7_intent_before_call(message: Message, row: OutboxRow | None) -> None:
    """I7: a committed `sending` row with this reference exists before the provider hears of it."""
    if row is None or row.state is not Attempt.SENDING:
        raise BrokenError("I7", f"{message.reference} is sent without intent: {row and row.state}")


def i7_twice_only_when_nobody_could_know(life: Life) -> None:
    """I7: a provider made a message twice only when it could not (or would not) say that it had made it once."""
    twice = [name for name, times in life.phones.created.items() if times > 1 and name not in life.phones.excused]
    if twice:
        raise BrokenError("I7", f"{twice[:5]} were made more than once though the provider could be asked")


def i7_nothing_stuck(life: Life) -> None:
    """I7: at least one attempt happens: no row waits, or is being sent, past its time."""
    late = life.clock.now() - timedelta(seconds=FIRST_PAGE_SECONDS_MAX)
    due = life.store.peek(lambda tx: tx.outbox_next_due())
    if due is not None and due < late:
        rows = life.store.peek(lambda tx: tx.outbox_sending())
        raise BrokenError("I7", f"an attempt due at {due.isoformat()} waits; being sent: {[r.reference for r in rows]}")


def i8_no_burst_after_a_gap(seen: dict[Place, str], place: Place, row: OutboxRow) -> None:
    """I8: right after a gap each person is paged once on each track of an incident, by each channel."""
    first = seen.setdefault(place, row.reference)
    if first != row.reference:
        raise BrokenError("I8", f"after a gap {place} is paged by {first} and again by {row.reference}")


def i8_no_ghost(incident: Incident, row: OutboxRow) -> None:
    """I8: what was resolved meanwhile is never paged."""
    if incident.state is State.RESOLVED:
        raise BrokenError("I8", f"{row.reference} pages for {incident.label}, which is over")


def i10_one_owner(incident: Incident) -> None:
    """I10: somebody is accountable for an open incident: who acked it, else those whom its tier pages."""
    if incident.state is State.RESOLVED or incident.main.state in (TrackState.ENDED, TrackState.WAITING):
        return
    if not incident.main.owner and not incident.main.pages:
        raise BrokenError("I10", f"{incident.label} is open and nobody's")


def i11_figures_are_the_journals(life: Life, rows: list[JournalRow]) -> None:
    """I11: a fold over the journal gives the very figures that were kept up to date live."""
    ledger = Ledger(life.figures.ledger.bounds_seconds)
    for row in rows:
        ledger.apply(row)
    if ledger.snapshot() != life.figures.ledger.snapshot():
        raise BrokenError("I11", "the figures kept live are not those of the journal")


def i12_no_change_without_an_entry(before: Incident | None, after: Incident, entries: int) -> None:
    """I12: no step changes a state without an entry that says why."""
    was = None if before is None else (before.state, before.severity, [t.state for t in before.tracks])
    if was != (after.state, after.severity, [t.state for t in after.tracks]) and not entries:
        raise BrokenError("I12", f"{after.label} changed and the journal says nothing")
