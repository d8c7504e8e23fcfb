"""Flapping: what goes on where it stood, what sleeps, and what never comes here."""

from dataclasses import replace

import pytest

from escalatord.core.alert import Severity
from escalatord.core.escalation import step
from escalatord.core.events import Ack, AlertSettled, PageNext, Resolve, TimersDue
from escalatord.core.flap import may_reopen
from escalatord.core.forecast import RungKind, ladder, next_tier
from escalatord.core.incident import Cause, NoticeKind, Reason, State, TimerKind, TrackState, Via
from escalatord.core.invariants import violations
from escalatord.core.noise import Flap
from escalatord.core.policy import ContactPlan, PlanStep
from escalatord.core.telling import tell, what_became
from tests.fakes.world import (
    LEGAL,
    RULESET,
    T0,
    WORLD,
    at,
    fired,
    journal,
    notices,
    opened,
    pass_time,
    run,
    tier,
    timers,
    under,
)
from tests.fakes.world import ladder as climbs

FLAP = Flap(reopen_within_seconds=900, stay_open_seconds=600)
DAMPED = replace(WORLD, ruleset=replace(RULESET, flap=FLAP))
OVER = AlertSettled(fingerprint="f1", severity=Severity.ERROR)
WEB = Via.WEB


def over(incident, minutes, world=DAMPED):
    """Return the incident after its alert ended."""
    return run(incident, (OVER, at(minutes)), world=world).incident


def again(incident, minutes, world=DAMPED, **changes):
    """Return what happens when it fires again."""
    return run(incident, (fired(again=True, **changes), at(minutes)), world=world)


def flapping(world=DAMPED, **changes):
    """Return an incident that ended at minute 1 and fired again at minute 2."""
    return again(over(opened(world=world, **changes), 1, world), 2, world, **changes).incident


def test_it_stands_as_it_stood():
    """Tier, deadline and number go on; those who were being paged are paged again, and told why."""
    before = opened(world=DAMPED)
    closed = over(before, 1)
    assert (closed.state, closed.timers, violations(closed)) == (State.RESOLVED, (), ())
    outcome = again(closed, 3)
    incident = outcome.incident
    assert outcome.reason is Reason.REOPENED
    assert journal(outcome)[0] == "reopened"
    assert (incident.number, incident.main.tier, incident.reopened, incident.stood) == (1, 1, 1, None)
    deadlines = [entry for entry in timers(incident, "technical") if entry[0] == "tier_deadline"]
    assert deadlines == [("tier_deadline", 900.0, "")]
    assert ("page", "ana", "sms") in notices(outcome)
    assert incident.alerts == before.alerts
    assert violations(incident) == ()


@pytest.mark.parametrize(("minutes", "expected"), [(15, True), (15.02, False)])
def test_only_what_fires_soon_enough(minutes, expected):
    """Fifteen minutes after its end to the second."""
    closed = over(opened(world=DAMPED), 1)
    assert may_reopen(closed, FLAP, at(1 + minutes)) is expected
    assert (again(closed, 1 + minutes).reason is Reason.REOPENED) is expected
    assert not may_reopen(closed, None, at(1))
    assert not may_reopen(opened(world=DAMPED), FLAP, at(1))


def test_a_human_end_is_final():
    """What somebody closed does not open again, though they closed it while it flapped."""
    incident = run(flapping(), (Resolve(person="bo", via=WEB), at(3)), world=DAMPED).incident
    assert incident.stood is None
    assert again(incident, 4).reason is Reason.ALREADY_RESOLVED


@pytest.mark.parametrize(
    ("changes", "world"), [({"cause": Cause.EXCEPTION}, DAMPED), ({}, WORLD)], ids=["exception", "no flap"]
)
def test_who_is_never_damped(changes, world):
    """Exceptions, and everything where the rules do not ask for it."""
    closed = over(opened(world=world, **changes), 1, world)
    assert closed.stood is None
    assert again(closed, 2, world).reason is Reason.ALREADY_RESOLVED


def test_compliance_is_never_damped():
    """It stays open until a human decides, as ever; its technical part begins again."""
    policies = (WORLD.policies["payments-1"], LEGAL)
    incident = opened(world=DAMPED, policies=policies)
    outcome = run(incident, (OVER, at(1)), world=DAMPED)
    assert outcome.reason is Reason.RECOVERED_COMPLIANCE_OPEN
    assert again(outcome.incident, 2, policies=policies).incident.reopened == 0


def test_while_it_is_quiet_everything_sleeps():
    """No tier, no reminder, no step of a plan; only the end of the quiet."""
    incident = over(flapping(), 3)
    assert incident.quiet_since == at(3)
    assert incident.next_due_at == at(13)
    assert run(incident, (TimersDue(), at(12.9)), world=DAMPED).reason is Reason.NOT_DUE
    assert [timer.kind for timer in incident.awake] == [TimerKind.FLAP_END]
    assert violations(incident) == ()
    outcome = run(incident, (TimersDue(), at(13)), world=DAMPED)
    assert (outcome.reason, outcome.incident.state) == (Reason.RECOVERED, State.RESOLVED)
    assert outcome.incident.quiet_since is None
    assert ("stand_down", "ana", "sms") in notices(outcome)
    assert [e.body["again"] for e in outcome.effects if getattr(e, "kind", "") == "resolved"] == [True]


def test_firing_ends_the_quiet_and_pages_nobody_again():
    """Quiet, firing, quiet, firing: not a word, and the deadline is the old one."""
    incident = flapping()
    for minute in range(3, 13, 2):
        incident = over(incident, minute)
        outcome = again(incident, minute + 1)
        incident = outcome.incident
        assert notices(outcome) == []
        assert incident.quiet_since is None
        assert all(timer.kind is not TimerKind.FLAP_END for timer in incident.timers)
    assert ("tier_deadline", 900.0, "") in timers(incident, "technical")


def test_what_became_due_while_it_was_quiet_happens_when_it_fires():
    """The window ended at minute 15 in the quiet: at 16 the second tier is entered, and has its own time."""
    incident = over(flapping(), 14)
    outcome = again(incident, 16)
    assert outcome.incident.main.tier == 1
    outcome = run(outcome.incident, (TimersDue(), at(16)), world=DAMPED)
    assert (outcome.reason, outcome.incident.main.tier) == (Reason.TIMEOUT, 2)
    assert ("tier_deadline", (16 + 10) * 60.0, "") in timers(outcome.incident, "technical")


def test_what_became_due_while_it_was_over_happens_with_the_reopening():
    """Ended at minute 10, again at 16: nobody of tier 1 is paged again, tier 2 is, once."""
    outcome = again(over(opened(world=DAMPED), 10), 16)
    assert outcome.incident.main.tier == 2
    assert {who for kind, who, _ in notices(outcome) if kind == "page"} == {"bo", "vp"}  # hers is another track


def test_an_owner_stays_and_is_told():
    """Acked, over, again: held as before, one quiet word, the same hold; a worse severity pages them."""
    held = run(opened(world=DAMPED), (Ack(person="ana", via=WEB), at(0.5)), world=DAMPED).incident
    question = next(timer for timer in held.timers if timer.kind is TimerKind.ACK_QUESTION)
    closed = over(held, 1)
    outcome = again(closed, 2)
    incident = outcome.incident
    assert (incident.state, incident.acknowledged_by, incident.main.owner) == (State.ACKNOWLEDGED, "ana", "ana")
    assert question in incident.timers
    assert [(kind, who) for kind, who, _ in notices(outcome) if who] == [("update", "ana"), ("page", "vp")]
    told = next(e for e in outcome.effects if getattr(e, "kind", "") is NoticeKind.UPDATE and e.person)
    assert told.reason is Reason.REOPENED
    worse = again(closed, 2, severity=Severity.CRITICAL)
    assert worse.incident.state is State.OPEN
    assert ("page", "ana", "sms") in notices(worse)


def test_an_owner_whose_room_knows_it_is_not_texted():
    """They were paged in the room alone: the room says it."""
    plan = ContactPlan(name="room", steps=(PlanStep(by="chat"),))
    policy = climbs(tier("ana", plan=plan))
    world = under(policy, DAMPED)
    held = run(opened(world=world, policies=(policy,)), (Ack(person="ana", via=WEB), at(0.5)), world=world).incident
    outcome = again(over(held, 1, world), 2, world, policies=(policy,))
    assert notices(outcome) == [("update", "", "chat")]


def test_the_last_resort_is_paged_again_and_keeps_its_beat():
    """It was at its last resort: paged again, and the next beat is when it would have been."""
    incident = pass_time(opened(world=DAMPED), at(70), world=DAMPED)
    while incident.main.state is not TrackState.LAST_RESORT:
        incident = run(incident, (PageNext(person="bo", via=WEB), at(71)), world=DAMPED).incident
    beat = next(timer for timer in timers(incident, "technical") if timer[0] == "last_resort")
    outcome = again(over(incident, 72), 73)
    assert ("last_resort", "cto", "sms") in notices(outcome)
    assert [each for each in timers(outcome.incident, "technical") if each[0] == "last_resort"] == [beat]


def test_a_track_that_waits_goes_on_waiting():
    """Its severity was not reached before the end; it is reached with the next fire."""
    incident = over(opened(severity=Severity.WARNING, world=DAMPED), 1)
    incident = run(incident, (AlertSettled(fingerprint="f1", severity=Severity.WARNING), at(1)), world=DAMPED).incident
    outcome = again(incident, 2, severity=Severity.ERROR)
    assert outcome.incident.track("stakeholder").state is TrackState.RUNNING
    assert outcome.reason is Reason.REOPENED


def test_what_is_next_is_the_end_of_the_quiet():
    """The ladder says when it is over, and nothing that sleeps."""
    incident = over(flapping(), 3)
    (rung,) = ladder(incident, DAMPED, at(4))
    assert (rung.kind, rung.at, rung.what) == (RungKind.END, at(13), "over, if it stays quiet")
    assert next_tier(incident, DAMPED, at(4), "technical") is None
    said = what_became(tell(_Notice(), incident, DAMPED, at(4)))
    assert said == "Flapping, quiet since 01:03."


class _Notice:
    """A message to Ana."""

    kind, track, tier, person, reason, actor, late = NoticeKind.UPDATE, "technical", 1, "", Reason.OPENED, "", False


def test_nothing_is_changed_by_what_means_nothing():
    """A second settle of a quiet one, and a due look before its time."""
    incident = over(flapping(), 3)
    assert step(incident, TimersDue(), T0, DAMPED).incident is incident
