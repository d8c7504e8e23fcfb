"""The end of a shift while its owner holds an incident: the next one is told, nobody loses anything."""

from dataclasses import replace
from datetime import date, time, timedelta

import pytest

from escalatord.core.escalation import step
from escalatord.core.events import Ack, AlertSettled, Snooze, TimersDue
from escalatord.core.forecast import ladder as forecast
from escalatord.core.handover import LOOK_AHEAD, shift_end
from escalatord.core.incident import Reason, TimerKind, Via
from escalatord.core.invariants import violations
from escalatord.core.policy import Target, TargetKind
from escalatord.core.schedule import Layer, Override, Rotation, RotationUnit, Schedule
from tests.fakes.world import T0, at, body, fired, ladder, notices, pass_time, run, tier, timers, under

WEB = Via.WEB
DUE = TimersDue()
FIRST = Target(TargetKind.ONCALL, "first")
DAILY = Schedule(
    name="first",
    timezone="UTC",
    layers=(
        Layer(
            name="all",
            timezone="UTC",
            rotation=Rotation(unit=RotationUnit.DAILY, at=time(9, 0), starts=date(2026, 10, 23)),
            people=("ana", "bo", "cy"),
        ),
    ),
)
"""Ana until nine in the morning of T0's day, then Bo, then Cy."""
POLICY = ladder(replace(tier("ana"), page=(FIRST,)), tier("vp"), ack_hold_seconds={})
NINE = at(8 * 60)
DAY = timedelta(days=1)


def company(*overrides, schedule=DAILY, policy=POLICY, **changes):
    """Return the world with the schedule."""
    world = under(policy)
    return replace(
        world,
        ruleset=replace(world.ruleset, schedules={"first": schedule} if schedule else {}, **changes),
        overrides=overrides,
    )


WORLD = company()


def held(who="ana", world=WORLD, policy=POLICY):
    """Return an incident of T0 that somebody acked ten minutes later."""
    opened = run(None, (fired(policies=(policy,)), T0), world=world).incident
    return run(opened, (Ack(person=who, via=WEB), at(10)), world=world).incident


def test_the_end_of_the_shift_is_a_deadline():
    """It is looked up when the track is taken, in the schedule that named the owner."""
    assert ("shift_end", 8 * 3600.0, "first") in timers(held(), "main")
    snoozed = run(held(), (Snooze(person="ana", via=WEB, seconds=600), at(11)), world=WORLD).incident
    assert ("shift_end", 8 * 3600.0, "first") in timers(snoozed, "main")


def test_whoever_is_on_call_then_is_told_and_the_owner_stays():
    """Quietly, with the incident still in the owner's hands; the one after is told when that shift is over too."""
    outcome = run(held(), (DUE, NINE), world=WORLD)
    assert outcome.reason is Reason.SHIFT_ENDED
    assert notices(outcome) == [("handover", "bo", "sms")]
    assert (outcome.incident.main.owner, outcome.incident.main.heirs) == ("ana", ("bo",))
    told = body(outcome, "shift_ended")
    assert (told["person"], told["people"], told["schedule"]) == ("ana", ["bo"], "first")
    assert violations(outcome.incident) == ()
    (again,) = [t for t in outcome.incident.timers if t.kind is TimerKind.SHIFT_END]
    assert again.at == NINE + DAY
    kept = replace(outcome.incident, timers=(again,))
    assert notices(run(kept, (DUE, NINE + DAY), world=WORLD)) == [("handover", "cy", "sms")]


def test_a_plain_ack_of_theirs_takes_it_over():
    """Who was told so need not say "take over"; anybody else still joins nothing by an ack."""
    told = run(held(), (DUE, NINE), world=WORLD).incident
    assert run(told, (Ack(person="cy", via=WEB), NINE), world=WORLD).reason is Reason.ALREADY_ACKNOWLEDGED
    outcome = run(told, (Ack(person="bo", via=Via.SMS), NINE), world=WORLD)
    assert (outcome.reason, outcome.incident.main.owner) == (Reason.TAKEN_OVER, "bo")
    assert ("acked", "ana", "mail") in notices(outcome)
    assert outcome.incident.main.heirs == ()
    (end,) = [t for t in outcome.incident.timers if t.kind is TimerKind.SHIFT_END]
    assert end.at == NINE + DAY
    assert violations(outcome.incident) == ()


def test_an_override_made_meanwhile_counts():
    """Ana stays until noon after all: nobody is told at nine, but at noon."""
    stays = company(Override(schedule="first", person="ana", start=T0, end=at(11 * 60)))
    outcome = run(held(), (DUE, NINE), world=stays)
    assert (outcome.reason, notices(outcome)) == (Reason.SHIFT_GOES_ON, [])
    assert ("shift_end", 11 * 3600.0, "first") in timers(outcome.incident, "main")
    noon = run(outcome.incident, (DUE, at(11 * 60)), world=stays)
    assert notices(noon) == [("handover", "bo", "sms")]


def test_who_is_on_call_by_nothing_has_no_shift_to_end():
    """A manager who acks, a person paged by name, a schedule that left the rules: no deadline, no message."""
    assert [t for t in timers(held("vp"), "main") if t[0] == "shift_end"] == []
    by_name = ladder(tier("ana"), hash="by-name")
    world = under(by_name)
    assert [t for t in timers(held("ana", world, by_name), "main") if t[0] == "shift_end"] == []
    gone = run(held(), (DUE, NINE), world=company(schedule=None))
    assert (gone.reason, notices(gone)) == (Reason.SHIFT_GOES_ON, [])
    assert [t for t in timers(gone.incident, "main") if t[0] == "shift_end"] == []


def test_a_volunteer_on_call_behind_a_role_has_one():
    """The schedule is found behind the targets of the ladder; a role that the rules have no longer leads nowhere."""
    role = Target(TargetKind.ROLE, "keeper")
    policy = ladder(tier("vp"), replace(tier("bo"), page=(role,)), hash="roles")
    world = company(policy=policy, roles={"keeper": (FIRST,)})
    assert ("shift_end", 8 * 3600.0, "first") in timers(held("ana", world, policy), "main")
    lost = company(policy=policy)
    assert [t for t in timers(held("ana", lost, policy), "main") if t[0] == "shift_end"] == []


def test_a_gap_is_looked_at_again():
    """Nobody on call after the shift: an hour later somebody may be."""
    until = Override(schedule="first", person="ana", start=T0, end=NINE)
    later = Override(schedule="first", person="bo", start=at(9 * 60), end=at(20 * 60))
    empty = replace(DAILY, layers=(), overrides=(until, later))
    world = company(schedule=empty)
    outcome = run(held(world=world), (DUE, NINE), world=world)
    assert (outcome.reason, notices(outcome)) == (Reason.SHIFT_ENDED, [])
    assert body(outcome, "shift_ended")["people"] == []
    assert notices(run(outcome.incident, (DUE, at(9 * 60)), world=world)) == [("handover", "bo", "sms")]


def test_a_call_is_made_only_where_nothing_else_reaches():
    """Taking over can wait for breakfast; silence cannot."""
    people = WORLD.ruleset.people
    callable_only = replace(people["bo"], addresses={"call": "+34600000002"})
    world = company(people={**people, "bo": callable_only})
    assert notices(run(held(), (DUE, NINE), world=world)) == [("handover", "bo", "call")]


def test_the_end_of_the_incident_ends_the_question():
    """Recovered before the shift is over: nobody hears of it in the morning."""
    severity = held().severity
    closed = run(held(), (AlertSettled(fingerprint="f1", severity=severity), at(30)), world=WORLD).incident
    assert closed.timers == ()


def test_who_was_told_hears_the_end():
    """The stand-down goes to everybody whom it was brought up with."""
    told = run(held(), (DUE, NINE), world=WORLD).incident
    outcome = run(told, (AlertSettled(fingerprint="f1", severity=told.severity), NINE), world=WORLD)
    assert {who for kind, who, _ in notices(outcome) if kind == "stand_down"} == {"ana", "bo"}


def test_a_long_shift_is_looked_at_again():
    """An end further off than the horizon is its edge, and nothing is said there."""
    ever = replace(DAILY, layers=(replace(DAILY.layers[0], people=("ana",)),))
    assert shift_end(ever, "ana", T0, ()) == T0 + LOOK_AHEAD
    assert shift_end(ever, "bo", T0, ()) == T0


def test_the_forecast_tells_of_it():
    """What comes names the schedule and who will be told."""
    rungs = [(rung.what, rung.people, rung.at) for rung in forecast(held(), WORLD, at(10))]
    assert rungs[0] == ("shift in first over: the next one is told", ("bo",), NINE)


def test_the_question_comes_at_growing_distance():
    """As the policy says for eight hours, then every eight, then daily; after a week it asks about staleness."""
    policy = ladder(tier("ana"), ack_hold_seconds=dict.fromkeys(type(held().severity), 3600.0), hash="hourly")
    world = under(policy)
    incident = run(None, (fired(policies=(policy,)), T0), (Ack(person="ana", via=WEB), T0), world=world).incident
    asked, stale = [], []
    for _ in range(20):
        now = incident.next_due_at
        outcome = step(incident, DUE, now, world)
        if outcome.reason is Reason.ACK_ASKED:
            asked.append((now - T0) / timedelta(hours=1))
            stale.append(body(outcome, "ack_asked")["stale"])
        incident = step(outcome.incident, Ack(person="ana", via=WEB), now, world).incident
    assert asked == [*map(float, range(1, 9)), 16.0, 24.0, *(24.0 * day for day in range(2, 12))]
    assert stale == [hours >= 7 * 24 for hours in asked]


@pytest.mark.parametrize(("kept_hours", "hours"), [(0, 1), (7.9, 1), (8, 8), (23.9, 8), (24, 24), (1000, 24)])
def test_a_hold_never_becomes_shorter_than_the_policys(kept_hours, hours):
    """Growing distance is a floor: a policy that asks less often asks as it did."""
    policy = replace(POLICY, ack_hold_seconds=dict.fromkeys(type(held().severity), 3600.0))
    assert policy.next_hold(held().severity, kept_hours * 3600) == hours * 3600
    weekly = replace(POLICY, ack_hold_seconds=dict.fromkeys(type(held().severity), 7 * 86400.0))
    assert weekly.next_hold(held().severity, kept_hours * 3600) == 7 * 86400.0


def test_one_who_acks_late_is_found_by_the_ladder():
    """The tier moved on to the manager; whoever acks late from the schedule still has a shift to end."""
    incident = run(None, (fired(policies=(POLICY,)), T0), world=WORLD).incident
    incident = pass_time(incident, at(11), WORLD)
    incident = run(incident, (Ack(person="ana", via=WEB), at(12)), world=WORLD).incident
    assert ("shift_end", 8 * 3600.0, "first") in timers(incident, "main")
