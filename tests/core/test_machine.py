"""The state machine under everything that can happen, in any order: the invariants hold after each step."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from escalatord.core.alert import Severity
from escalatord.core.escalation import CHANGES_NOTHING, step
from escalatord.core.events import (
    Ack,
    AlertSettled,
    Delivery,
    Event,
    HoursChanged,
    Mitigated,
    Note,
    Notify,
    PageNext,
    PassOn,
    PersonGone,
    Rebase,
    Record,
    Resolve,
    Snooze,
    TimersDue,
    Unack,
    Withdraw,
)
from escalatord.core.incident import Attempt, Cause, NoticeKind, Reason, State, TimerKind, TrackState, Via
from escalatord.core.invariants import violations
from escalatord.core.noise import Flap
from escalatord.core.policy import NEED_ALL, Action, Milestones, OfficeHours, Prefer, TrackKind
from tests.fakes.world import LEGAL, PAYMENTS, PEOPLE, T0, WORLD, at_work, fired, under
from tests.fakes.world import OFFICE as CALENDAR

TIERS = PAYMENTS.tracks[0].tiers
NEEDY = replace(
    PAYMENTS,
    hash="payments-needy",
    tracks=(
        replace(
            PAYMENTS.tracks[0],
            tiers=(
                replace(TIERS[0], page=(*TIERS[0].page, *TIERS[1].page), need=2),
                replace(TIERS[1], page=TIERS[2].page, prefer=Prefer.LEAST_PAGED_24H),
                replace(TIERS[2], page=(*TIERS[0].page, *TIERS[2].page), need=NEED_ALL, on_enter=(Action.OPEN_RCA,)),
            ),
        ),
        *PAYMENTS.tracks[1:],
    ),
)
"""The same ladder where tiers need several acks, or choose."""
PERSONS = st.sampled_from([*PEOPLE, "stranger"])
VIAS = st.sampled_from([Via.SMS, Via.LINK, Via.CALL, Via.WEB])
HURRIED = replace(
    PAYMENTS,
    hash="hurried",
    milestones=Milestones(mitigate_by_seconds=1800, update_every_seconds=600, resolve_by_seconds=7200),
)
OFFICE = replace(HURRIED, hash="office", hours=OfficeHours(calendar="work", unless=Severity.CRITICAL))
LATER = replace(PAYMENTS, hash="later", tracks=PAYMENTS.tracks[:1], milestones=Milestones(resolve_by_seconds=900))
PAGES = (NoticeKind.PAGE, NoticeKind.REMIND, NoticeKind.LAST_RESORT)


class Escalating(RuleBasedStateMachine):
    """One incident, driven by chance; `outbox` is what a sender would hold."""

    def __init__(self):
        super().__init__()
        self.now = T0
        self.world = WORLD
        self.incident = None
        self.outbox = {}
        self.references = set()
        self.firing = {}

    def happen(self, event: Event):
        """Let an event happen, and check what every step promises."""
        before = self.incident
        outcome = step(before, event, self.now, self.world)
        assert outcome == step(before, event, self.now, self.world), "not deterministic"
        if outcome.reason in CHANGES_NOTHING:
            assert outcome.incident is before
            assert outcome.effects == ()
            return outcome
        records = [effect for effect in outcome.effects if isinstance(effect, Record)]
        if before is None or (outcome.incident.state, outcome.incident.severity) != (before.state, before.severity):
            assert records, "a change of state without a journal entry"
        for effect in outcome.effects:
            if isinstance(effect, Withdraw):
                meant = [r for r in self.outbox.values() if effect.person in ("", r.person)]
                for row in [r for r in meant if r.kind in PAGES and effect.track in ("", r.track)]:
                    del self.outbox[row.reference]
            elif isinstance(effect, Notify):
                assert effect.reference not in self.references, "a reference was used twice"
                self.references.add(effect.reference)
                self.outbox[effect.reference] = effect
        self.incident = outcome.incident
        return outcome

    @initialize(
        severity=st.sampled_from(Severity),
        exception=st.booleans(),
        start_at=st.integers(0, 5),
        nobody=st.sets(st.sampled_from(list(PEOPLE)), max_size=5),
        main=st.sampled_from([PAYMENTS, NEEDY, HURRIED, OFFICE]),
        damped=st.booleans(),
    )
    def opens(self, severity, exception, start_at, nobody, main, damped):
        """An incident opens, perhaps by exception with a compliance track, perhaps with people missing."""
        people = {name: person for name, person in PEOPLE.items() if name not in nobody}
        flap = Flap(reopen_within_seconds=900, stay_open_seconds=600) if damped else None
        world = at_work(HURRIED, under(OFFICE, under(LATER, under(NEEDY))))
        self.world = replace(world, ruleset=replace(world.ruleset, people=people, flap=flap))
        self.main = main
        policies = (main, LEGAL) if exception else (main,)
        cause = Cause.EXCEPTION if exception else Cause.THRESHOLD
        self.firing = {"f1": severity}
        self.happen(fired(severity=severity, cause=cause, policies=policies, start_at=start_at))

    @rule(seconds=st.sampled_from([0, 1, 59, 60, 180, 300, 601, 900, 1800, 3600, 7200, 90000]))
    def time_passes(self, seconds):
        """Time passes and every deadline that came is acted upon, in as many steps as it takes."""
        self.now += timedelta(seconds=seconds)
        for _ in range(10):
            if self.incident.next_due_at is None or self.incident.next_due_at > self.now:
                break
            self.happen(TimersDue())
        assert self.incident.next_due_at is None or self.incident.next_due_at > self.now, "a deadline never passes"

    @rule(person=PERSONS, via=VIAS, take_over=st.booleans(), join=st.booleans())
    def acks(self, person, via, take_over, join):
        """Somebody acks; from then on no page of that track is left to send."""
        self.happen(Ack(person=person, via=via, take_over=take_over, join=join))

    @rule(person=PERSONS, via=VIAS, epoch=st.none() | st.integers(0, 9))
    def passes_on(self, person, via, epoch):
        """Somebody passes on; an old epoch never moves anything."""
        before = self.incident
        self.happen(PassOn(person=person, via=via, epoch=epoch))
        if epoch is not None and all(track.epoch != epoch for track in before.tracks):
            assert self.incident is before

    @rule(person=PERSONS, via=VIAS, seconds=st.sampled_from([0, 600, 1e9]))
    def snoozes(self, person, via, seconds):
        """Somebody snoozes; compliance and exceptions never are."""
        self.happen(Snooze(person=person, via=via, seconds=seconds))

    @rule(person=PERSONS, event=st.sampled_from([Unack, PageNext]), track=st.sampled_from(["", "technical", "nowhere"]))
    def takes_back_or_escalates(self, person, event, track):
        """Somebody takes an ack back or pages the next tier."""
        self.happen(event(person=person, via=Via.WEB, track=track))

    @rule(person=PERSONS)
    def notes(self, person):
        """Somebody writes something down, at any time."""
        assert step(self.incident, Note(person=person, via=Via.SMS, text="x"), self.now, self.world).effects

    @rule(person=PERSONS)
    def mitigates(self, person):
        """Somebody says that the harm is stopped."""
        self.happen(Mitigated(person=person, via=Via.CLI))
        if self.incident.state is not State.RESOLVED:
            assert self.incident.mitigated_at is not None
            assert all(timer.kind is not TimerKind.MITIGATE_BY for timer in self.incident.timers)

    @rule(policy=st.sampled_from([PAYMENTS, HURRIED, OFFICE, LATER]))
    def moves_to_other_rules(self, policy):
        """Somebody moves it onto the rules in force; whoever has it keeps it."""
        owners = {track.name: track.owner for track in self.incident.tracks}
        self.happen(Rebase(person="admin", via=Via.WEB, policies=(policy, LEGAL)))
        assert {name: self.incident.track(name).owner for name in owners} == owners

    @rule(days=st.integers(1, 7))
    def calendar_changes(self, days):
        """The working week becomes another."""
        weekly = replace(CALENDAR, hours=(replace(CALENDAR.hours[0], days=frozenset(range(days))),))
        self.world = replace(self.world, ruleset=replace(self.world.ruleset, calendars={"work": weekly}))
        self.happen(HoursChanged())

    @rule(
        data=st.data(),
        status=st.sampled_from(
            [Attempt.ACCEPTED, Attempt.DELIVERED, Attempt.FAILED_TEMPORARY, Attempt.FAILED_PERMANENT]
        ),
    )
    def hears_of_an_attempt(self, data, status):
        """A provider speaks of any attempt ever made."""
        reference = data.draw(st.sampled_from(sorted(self.references) or ["none"]))
        self.happen(Delivery(reference=reference, status=status, reason="x"))

    @rule(severity=st.sampled_from(Severity), fingerprint=st.sampled_from(["f1", "f2", "f3"]))
    @precondition(lambda self: self.incident.state is not State.RESOLVED)
    def fires_again(self, severity, fingerprint):
        """An alert joins or changes."""
        previous = self.firing.get(fingerprint)
        self.firing[fingerprint] = severity
        self.happen(fired(severity=severity, fingerprint=fingerprint, previous=previous, policies=(self.main,)))

    @rule(severity=st.sampled_from(Severity), known=st.booleans())
    @precondition(lambda self: self.incident.state is State.RESOLVED)
    def fires_after_its_end(self, severity, known):
        """What is over fires again: it goes on as it stood, or stays over; its epochs never start again."""
        before = self.incident
        outcome = self.happen(fired(severity=severity, again=known))
        if outcome.reason is not Reason.REOPENED:
            assert outcome.reason is Reason.ALREADY_RESOLVED
            return
        self.firing = {"f1": severity}
        for was, now in zip(before.stood.tracks, outcome.incident.tracks, strict=True):
            assert now.epoch >= was.epoch
            assert now.top >= was.top
            assert was.entered_at is None or now.entered_at is not None

    @rule(fingerprint=st.sampled_from(["f1", "f2", "f3"]))
    @precondition(lambda self: self.firing)
    def settles(self, fingerprint):
        """An alert of the incident resolves."""
        severity = self.firing.pop(fingerprint, None)
        if severity is not None:
            self.happen(AlertSettled(fingerprint=fingerprint, severity=severity))

    @rule(person=PERSONS)
    def leaves(self, person):
        """A person is removed."""
        people = {name: who for name, who in self.world.ruleset.people.items() if name != person}
        self.world = replace(self.world, ruleset=replace(self.world.ruleset, people=people))
        self.happen(PersonGone(person=person))

    @rule(person=PERSONS, decision=st.sampled_from(["", "not reportable: test data"]))
    def resolves(self, person, decision):
        """A human resolves; compliance needs a decision."""
        compliant = any(t.name == "compliance" and t.state is not TrackState.ENDED for t in self.incident.tracks)
        outcome = self.happen(Resolve(person=person, via=Via.WEB, decision=decision))
        if compliant and not decision and self.incident.state is not State.RESOLVED:
            assert outcome.reason.value == "resolve_needs_decision"

    @invariant()
    def is_sound(self):
        """Always a next step, never a stray one; held means held; closed means closed."""
        if self.incident is not None:
            assert violations(self.incident) == ()

    @invariant()
    def ack_ends_the_pages_of_its_track(self):
        """No page of a held or ended track is left to send."""
        if self.incident is None:
            return
        at_rest = (TrackState.ACKNOWLEDGED, TrackState.ENDED, TrackState.WAITING)
        quiet = {t.name for t in self.incident.tracks if t.state in at_rest}
        assert [row for row in self.outbox.values() if row.kind in PAGES and row.track in quiet] == []

    @invariant()
    def who_acked_is_left_in_peace(self):
        """Nothing is left to send to who has acked a track that climbs for the others, and nothing waits for them."""
        if self.incident is None:
            return
        for track in self.incident.tracks:
            if track.state in (TrackState.RUNNING, TrackState.LAST_RESORT):
                waiting = {t.subject.rpartition("/")[0] for t in self.incident.timers if t.track == track.name}
                assert not waiting & set(track.acks)
                rows = [row for row in self.outbox.values() if row.kind in PAGES and row.track == track.name]
                assert not {row.person for row in rows} & set(track.acks)

    @invariant()
    def compliance_is_never_snoozed(self):
        """A compliance track has no snooze and, while the incident is open, keeps its legal clock or was acted upon."""
        if self.incident is None:
            return
        for track in self.incident.tracks:
            if self.world.policy(track.policy).track(track.name.rpartition(":")[2]).kind is TrackKind.COMPLIANCE:
                assert all(t.kind.value != "snooze_end" for t in self.incident.timers if t.track == track.name)

    @invariant()
    def somebody_is_paged(self):
        """A climbing track pages somebody as long as anybody in the company can be reached."""
        if self.incident is None or not self.world.ruleset.people:
            return
        for track in self.incident.tracks:
            if track.state is TrackState.RUNNING:
                assert track.pages


Escalating.TestCase.settings = settings(
    max_examples=150, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
TestEscalating = Escalating.TestCase
