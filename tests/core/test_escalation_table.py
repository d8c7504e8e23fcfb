"""The state machine as a table: every event in every place an incident can be in."""

from dataclasses import replace
from datetime import timedelta

import pytest

from escalatord.core.alert import Severity
from escalatord.core.escalation import CHANGES_NOTHING, step
from escalatord.core.events import (
    Ack,
    AlertFired,
    AlertSettled,
    Delivery,
    Event,
    HoursChanged,
    Mitigated,
    Note,
    Notify,
    Outcome,
    PageNext,
    PassOn,
    PersonGone,
    Rebase,
    Resolve,
    Snooze,
    TimersDue,
    Unack,
)
from escalatord.core.incident import Attempt, Reason, State, TimerKind, TrackState, Via
from escalatord.core.invariants import violations
from escalatord.core.policy import Milestones, OfficeHours, Target, TargetKind
from escalatord.core.schedule import Override, Schedule
from tests.fakes.world import (
    LEGAL,
    T0,
    USUAL,
    at,
    at_work,
    fired,
    ladder,
    opened,
    pass_time,
    run,
    tier,
    under,
)

ERROR, WARNING, CRITICAL = Severity.ERROR, Severity.WARNING, Severity.CRITICAL
WEB = Via.WEB

PLAIN = ladder(tier("ana", within=600), tier("bo", within=600))
BOTH = (PLAIN, LEGAL)
PLAIN_WORLD = under(PLAIN)
NEEDY = ladder(tier("ana", "bo", within=600, need=2), tier("cy", within=600), hash="needy")
NEEDY_WORLD = under(NEEDY)
HOLD = PLAIN.ack_hold(ERROR)
EVENTS = {
    "a new alert": fired(fingerprint="f2", policies=BOTH),
    "a worse alert": fired(severity=CRITICAL, previous=ERROR, policies=BOTH),
    "a better alert": fired(severity=WARNING, previous=ERROR, policies=BOTH),
    "the last one settles": AlertSettled(fingerprint="f1", severity=ERROR),
    "a look at the clock": TimersDue(),
    "ana acks": Ack(person="ana", via=WEB, track="main"),
    "bo takes over": Ack(person="bo", via=WEB, track="main", take_over=True),
    "bo joins": Ack(person="bo", via=WEB, track="main", join=True),
    "bo acks": Ack(person="bo", via=WEB, track="main"),
    "ana takes it back": Unack(person="ana", via=WEB, track="main"),
    "ana passes on": PassOn(person="ana", via=WEB, track="main"),
    "a late pass-on": PassOn(person="ana", via=WEB, track="main", epoch=0),
    "next tier by hand": PageNext(person="cy", via=WEB, track="main"),
    "ana snoozes": Snooze(person="ana", via=WEB, seconds=600, track="main"),
    "bo snoozes": Snooze(person="bo", via=WEB, seconds=600, track="main"),
    "a note": Note(person="cy", via=WEB, text="looking"),
    "ana has mitigated it": Mitigated(person="ana", via=WEB),
    "the same rules": Rebase(person="cy", via=WEB, policies=()),
    "other calendars": HoursChanged(),
    "a bare resolve": Resolve(person="cy", via=WEB),
    "a decided resolve": Resolve(person="cy", via=WEB, decision="not reportable"),
    "news of no attempt": Delivery(reference="none", status=Attempt.DELIVERED),
    "ana leaves": PersonGone(person="ana"),
    "a stranger leaves": PersonGone(person="nobody"),
}


def places():
    """Return an incident in each place a main track can be in, with the instant at which it got there."""
    running = opened(world=PLAIN_WORLD, policies=BOTH)
    world = PLAIN_WORLD
    acked = run(running, (Ack(person="ana", via=WEB, track="main"), T0), world=world).incident
    both_acked = run(acked, (Ack(person="vp", via=WEB, track="compliance"), T0), world=world).incident
    asked = pass_time(both_acked, T0 + timedelta(seconds=HOLD), world)
    resort = running
    for _ in range(2):
        resort = run(resort, (PageNext(person="cy", via=WEB, track="main"), T0), world=world).incident
    needing = opened(world=NEEDY_WORLD, policies=(NEEDY, LEGAL))
    counted = run(needing, (Ack(person="ana", via=WEB, track="main"), T0), world=NEEDY_WORLD).incident
    office = replace(PLAIN, hash="office-1", hours=OfficeHours(calendar="work"))
    waiting = replace(PLAIN, tracks=(replace(PLAIN.tracks[0], when=CRITICAL),))
    return {
        "waiting": (opened(world=under(waiting), policies=(waiting, LEGAL)), T0, under(waiting)),
        "held": (opened(world=at_work(office), policies=(office, LEGAL)), T0, at_work(office)),
        "running": (running, T0, world),
        "acked": (acked, T0, world),
        "snoozed": (run(running, (EVENTS["ana snoozes"], T0), world=world).incident, T0, world),
        "asked": (asked, T0 + timedelta(seconds=HOLD), world),
        "last resort": (resort, T0, world),
        "counted": (counted, T0, NEEDY_WORLD),
        "ended": (run(running, (AlertSettled(fingerprint="f1", severity=ERROR), T0), world=world).incident, T0, world),
    }


PLACES = places()
TABLE = """
a new alert         | 3*joined 3*new_alert_after_ack 3*joined
a worse alert       | 9*severity_raised
a better alert      | 9*severity_fell
the last one settles| 9*recovered_compliance_open
a look at the clock | 9*not_due
ana acks            | no_such_track 2*acknowledged 2*already_yours ack_extended acknowledged_late ack_counted \
                      stale_answer
bo takes over       | no_such_track 2*acknowledged 3*taken_over acknowledged_late acknowledged stale_answer
bo joins            | no_such_track 2*acknowledged 3*joined_response acknowledged_late acknowledged stale_answer
bo acks             | no_such_track 2*acknowledged 3*already_acknowledged acknowledged_late acknowledged stale_answer
ana takes it back   | 3*not_acknowledged 3*unacknowledged not_acknowledged unacknowledged not_acknowledged
ana passes on       | 2*stale_tier 4*passed_on stale_tier passed_on stale_tier
a late pass-on      | 9*stale_tier
next tier by hand   | no_such_track 7*manual no_such_track
ana snoozes         | no_such_track 6*snoozed ack_counted no_such_track
bo snoozes          | no_such_track 2*snoozed 3*already_acknowledged snoozed acknowledged no_such_track
a note              | 9*noted
ana has mitigated it| 9*mitigated
the same rules      | 9*same_policy
other calendars     | 9*not_due
a bare resolve      | 9*resolve_needs_decision
a decided resolve   | 9*resolved
news of no attempt  | 9*delivery_stale
ana leaves          | 2*not_due 4*person_removed not_due person_removed not_due
a stranger leaves   | 9*not_due
"""
"""What each event comes to, place by place in the order of `places`; `3*x` stands for x three times."""


def by_table():
    """Return the table as (event, place, reason)."""
    cells = []
    for line in TABLE.strip().splitlines():
        event, _, reasons = line.partition("|")
        row = []
        for word in reasons.split():
            times, _, reason = word.rpartition("*")
            row += [reason] * int(times or 1)
        cells += [(event.strip(), place, reason) for place, reason in zip(PLACES, row, strict=True)]
    return cells


@pytest.mark.parametrize(("event", "place", "reason"), by_table())
def test_every_event_in_every_place_is_answered(event, place, reason):
    """Each pair returns, names its reason, and leaves a sound incident; what means nothing changes nothing."""
    incident, now, world = PLACES[place]
    outcome = step(incident, EVENTS[event], now, world)
    assert outcome.reason == reason
    if reason in CHANGES_NOTHING:
        assert outcome == Outcome(incident=incident, effects=(), reason=outcome.reason)
        assert outcome.incident is incident
        return
    assert violations(outcome.incident) == ()
    assert outcome.incident.turn == (incident.turn + 1)
    assert step(incident, EVENTS[event], now, world) == outcome


@pytest.mark.parametrize("event", EVENTS)
def test_without_an_incident_only_an_alert_means_anything(event):
    """An alert opens one; everything else is told that there is none."""
    outcome = step(None, EVENTS[event], T0, PLAIN_WORLD)
    if isinstance(EVENTS[event], AlertFired):
        assert outcome.reason is Reason.OPENED
        assert violations(outcome.incident) == ()
    else:
        assert outcome == Outcome(incident=None, effects=(), reason=Reason.NO_INCIDENT)


AFTER_THE_END = {
    Note: Reason.NOTED,
    Delivery: Reason.DELIVERY_STALE,
    PersonGone: Reason.NOT_DUE,
    TimersDue: Reason.NOT_DUE,
    HoursChanged: Reason.NOT_DUE,
    AlertSettled: Reason.NOT_DUE,
}


@pytest.mark.parametrize("event", EVENTS)
def test_a_closed_incident_takes_notes_only(event):
    """Whoever answers too late is told that it is over; nothing of a closed incident moves any more."""
    closed = run(PLACES["running"][0], (EVENTS["a decided resolve"], T0), world=PLAIN_WORLD).incident
    outcome = step(closed, EVENTS[event], at(5), PLAIN_WORLD)
    assert outcome.reason is AFTER_THE_END.get(type(EVENTS[event]), Reason.ALREADY_RESOLVED)
    assert (outcome.incident is closed) is (outcome.reason is not Reason.NOTED)
    assert replace(outcome.incident, turn=closed.turn) == closed


def test_the_table_covers_every_event_and_every_place():
    """No type of event, no state of a track and no state of an incident is missing from the table."""
    events = {type(EVENTS[event]).__name__ for event, _, _ in by_table()}
    assert events == {part.__name__ for part in Event.__args__}
    incidents = [incident for incident, _, _ in PLACES.values()]
    assert {incident.main.state for incident in incidents} == set(TrackState)
    assert {incident.state for incident in incidents} == set(State) - {State.RESOLVED}


ALSO = {
    TimerKind.MITIGATE_BY: {"milestones": Milestones(mitigate_by_seconds=900)},
    TimerKind.UPDATE_EVERY: {"milestones": Milestones(update_every_seconds=900)},
    TimerKind.RESOLVE_BY: {"milestones": Milestones(resolve_by_seconds=900)},
    TimerKind.HOURS_START: {"hours": OfficeHours(calendar="work")},
}


@pytest.mark.parametrize(
    "kind",
    [kind for kind in TimerKind if kind not in (TimerKind.STATUTORY, TimerKind.FLAP_END)],  # these end no tier
)
def test_every_deadline_that_passes_is_used_up(kind):
    """Whatever a deadline is for, acting upon it leaves no deadline in the past."""
    plan = replace(USUAL, steps=(USUAL.steps[1], USUAL.steps[2]))
    policy = ladder(tier("ana", plan=plan, remind_seconds=(30,)), **ALSO.get(kind, {}))
    if kind is TimerKind.SHIFT_END:
        policy = ladder(replace(tier("bo", plan=plan), page=(Target(TargetKind.ONCALL, "first"),)))
    world = at_work(policy)
    schedule = Schedule(
        name="first",
        timezone="UTC",
        layers=(),
        overrides=(Override(schedule="first", person="ana", start=T0, end=at(60)),),
        when_empty=("bo",),
    )
    world = replace(world, ruleset=replace(world.ruleset, schedules={"first": schedule}))
    incident = opened(world=world, policies=(policy,))
    match kind:
        case TimerKind.RECEIPT_OVERDUE:
            (sms, _) = (step.reference for step in incident.main.pages[0].steps)
            incident = run(incident, (Delivery(reference=sms, status=Attempt.ACCEPTED), T0), world=world).incident
        case TimerKind.ACK_QUESTION | TimerKind.ACK_EXPIRY | TimerKind.UPDATE_EVERY | TimerKind.SHIFT_END:
            incident = run(incident, (Ack(person="ana", via=WEB), T0), world=world).incident
        case TimerKind.SNOOZE_END:
            incident = run(incident, (Snooze(person="ana", via=WEB, seconds=60), T0), world=world).incident
    for _ in range(20):
        due = incident.next_due_at
        present = {timer.kind for timer in incident.timers if timer.at == due}
        incident = run(incident, (TimersDue(), due), world=world).incident
        assert incident.next_due_at > due
        assert violations(incident) == ()
        if kind in present:
            return
    pytest.fail(f"{kind} never came")


def test_two_copies_of_a_step_agree():
    """The same question gets the same answer, references included: chance and clocks have no part in it."""
    assert run(None, (fired(), T0)) == run(None, (fired(), T0))
    assert [e.reference for e in run(None, (fired(), T0)).effects if isinstance(e, Notify)] == [
        "i1-1-0",
        "i1-1-1",
        "i1-1-2",
    ]


def test_a_clock_that_was_set_back_breaks_nothing():
    """With `now` before the opening every event is still answered, and the incident stays sound."""
    for event in EVENTS.values():
        outcome = step(PLACES["running"][0], event, T0 - timedelta(days=1), PLAIN_WORLD)
        assert violations(outcome.incident) == ()
