"""Deadlines: what each does, what a move takes along, and what happens after a gap."""

from dataclasses import replace
from datetime import timedelta

import pytest

from escalatord.core.alert import Severity
from escalatord.core.draft import LATE_SECONDS
from escalatord.core.events import Ack, Delivery, Notify, PersonGone, Record, Snooze, TimersDue
from escalatord.core.incident import Attempt, Cause, Reason, State, TrackState, Via
from escalatord.core.policy import ACK_QUESTION_SECONDS, ContactPlan, LastResort, PlanStep
from tests.fakes.world import (
    LEGAL,
    PAYMENTS,
    T0,
    URGENT,
    WORLD,
    at,
    body,
    journal,
    ladder,
    notices,
    opened,
    pass_time,
    person,
    references,
    run,
    tier,
    timers,
    under,
    without,
)

CRITICAL, ERROR = Severity.CRITICAL, Severity.ERROR
DUE = TimersDue()
WEB = Via.WEB
HOUR = 3600.0


def held(severity=CRITICAL, world=WORLD, **changes):
    """Return an incident held by ana since T0, by vp a second later; the ack of a critical one holds for an hour."""
    first = (Ack(person="ana", via=WEB, track="technical"), T0)
    return run(opened(severity, world, **changes), first, (Ack(person="vp", via=WEB), at(0, 1))).incident


def unreachable(*pairs):
    """Return the world in which these (person, address key) pairs are dead."""
    return replace(WORLD, unreachable=frozenset(pairs))


def test_nothing_happens_before_its_time():
    """A look at the clock between deadlines changes nothing."""
    incident = opened()
    outcome = run(incident, (DUE, at(2, 59)))
    assert (outcome.reason, outcome.incident is incident, outcome.effects) == (Reason.NOT_DUE, True, ())


# ----------------------------------------------------------------------------------------------------- reminders


def test_a_reminder_says_it_again_by_the_first_way():
    """Five minutes in, ana's first channel repeats the page."""
    outcome = run(pass_time(opened(), at(4)), (DUE, at(5)))
    assert (outcome.reason, notices(outcome)) == (Reason.REMINDED, [("remind", "ana", "chat")])
    assert body(outcome, "reminded")["people"] == ["ana"]


def test_a_reminder_does_not_speak_into_a_dead_line():
    """The first way that has not failed carries the reminder; a failed one only when there is no other."""
    incident = opened()
    chat, sms, _ = references(incident, "technical", "ana")
    dead = Attempt.FAILED_PERMANENT
    incident = run(incident, (Delivery(reference=chat, status=dead), at(1))).incident
    assert notices(run(incident, (DUE, at(5)))) == [("remind", "ana", "sms")]
    incident = run(incident, (Delivery(reference=sms, status=dead), at(2))).incident
    assert notices(run(incident, (DUE, at(5)))) == [("remind", "ana", "sms_backup")]


def test_somebody_to_whom_nothing_went_out_yet_is_not_reminded():
    """A reminder repeats a page; it does not come before it."""
    late_plan = ContactPlan(name="late", steps=(PlanStep(by="sms", after_seconds=300),))
    policy = ladder(tier("ana", plan=late_plan, remind_seconds=(60,)))
    incident = opened(world=under(policy), policies=(policy,))
    outcome = run(incident, (DUE, at(1)), world=under(policy))
    assert (outcome.reason, notices(outcome)) == (Reason.REMINDED, [])


def test_several_reminders_at_once_are_one():
    """After a gap nobody gets the reminders that were missed one by one."""
    policy = ladder(tier("ana", remind_seconds=(60, 120, 180)))
    incident = opened(world=under(policy), policies=(policy,))
    outcome = run(incident, (DUE, at(4)), world=under(policy))
    assert notices(outcome) == [("remind", "ana", "mail")]
    assert timers(outcome.incident, "main") == [("tier_deadline", 600, "")]


# ------------------------------------------------------------------------------------------------------- the hold


def test_when_the_hold_ends_the_owner_is_asked_first():
    """Ten minutes to say that it is still in hand; nobody else hears of it, and no call rings."""
    outcome = run(held(), (DUE, at(60)))
    assert outcome.reason is Reason.ACK_ASKED
    assert notices(outcome) == [("ack_question", "ana", "sms")]
    assert outcome.incident.state is State.ACKNOWLEDGED
    assert timers(outcome.incident, "technical") == [("ack_expiry", HOUR + ACK_QUESTION_SECONDS, "")]
    assert body(outcome, "ack_asked")["person"] == "ana"


def test_an_answer_keeps_it_for_another_hold():
    """K7 again: sixty minutes more from the answer."""
    asked = run(held(), (DUE, at(60))).incident
    outcome = run(asked, (Ack(person="ana", via=Via.SMS, track="technical"), at(65)))
    assert (outcome.reason, journal(outcome)) == (Reason.ACK_EXTENDED, ["ack_extended"])
    assert timers(outcome.incident, "technical") == [("ack_question", 65 * 60 + HOUR, "")]


def test_silence_pages_the_same_tier_again_and_then_climbs():
    """An owner who fell asleep costs ten minutes and a window, not the night."""
    incident = pass_time(held(), at(69))
    outcome = run(incident, (DUE, at(70)))
    main = outcome.incident.main
    assert (outcome.reason, main.state, main.tier, main.owner) == (Reason.ACK_EXPIRED, TrackState.RUNNING, 1, "")
    assert (outcome.incident.state, outcome.incident.acknowledged_by) == (State.OPEN, "")
    assert journal(outcome)[:2] == ["ack_expired", "tier_repaged"]
    assert ("page", "ana", "call") in notices(outcome)
    assert pass_time(outcome.incident, at(75)).main.tier == 2


@pytest.mark.parametrize(
    ("dead", "asked"),
    [
        ((), [("ack_question", "ana", "sms")]),
        ((("ana", "sms"),), [("ack_question", "ana", "mail")]),
        ((("ana", "sms"), ("ana", "email")), [("ack_question", "ana", "call")]),
        ((("ana", "sms"), ("ana", "email"), ("ana", "call")), []),
    ],
    ids=["as they were paged", "else another quiet way", "else by a call", "else the tier is paged in ten minutes"],
)
def test_the_question_takes_a_way_that_reaches_its_owner(dead, asked):
    """Nobody's ack runs out unasked because the way they were paged by is dead by then."""
    outcome = run(held(), (DUE, at(60)), world=unreachable(*dead))
    assert [n for n in notices(outcome) if n[0] == "ack_question"] == asked


def test_a_volunteer_is_asked_too():
    """Who took it without having been paged is asked by text."""
    incident = run(opened(CRITICAL), (Ack(person="cy", via=WEB, track="technical"), T0)).incident
    outcome = run(incident, (DUE, at(60)))
    assert ("ack_question", "cy", "sms") in notices(outcome)


# ----------------------------------------------------------------------------------------------------- receipts


def test_no_receipt_in_time_starts_the_next_way():
    """Accepted is not delivered: after a minute without a receipt the fallback goes out."""
    incident = opened()
    _, sms, _ = references(incident, "technical", "ana")
    incident = run(incident, (Delivery(reference=sms, status=Attempt.ACCEPTED), at(0, 2))).incident
    assert ("receipt_overdue", 62, "ana/1") in timers(incident, "technical")
    outcome = run(incident, (DUE, at(1, 2)))
    assert (outcome.reason, notices(outcome)) == (Reason.NO_RECEIPT, [("page", "ana", "sms_backup")])
    assert journal(outcome) == ["no_receipt", "paged_step"]
    assert body(outcome, "no_receipt")["channel"] == "sms"


def test_a_receipt_in_time_ends_the_waiting_for_it():
    """Delivered and silent: only the tier's own deadline goes on."""
    incident = opened()
    _, sms, _ = references(incident, "technical", "ana")
    accepted, delivered = (Delivery(reference=sms, status=s) for s in (Attempt.ACCEPTED, Attempt.DELIVERED))
    incident = run(incident, (accepted, at(0, 2)), (delivered, at(0, 9))).incident
    assert "receipt_overdue" not in [kind for kind, _, _ in timers(incident, "technical")]


def test_accepted_without_receipt_by_every_way_is_not_reached():
    """Only `delivered` plus silence waits out the window; nothing known to have arrived does not."""
    plan = ContactPlan(name="plan", steps=(PlanStep(by="sms"), PlanStep(by="call", after_seconds=30)))
    policy = ladder(tier("ana", plan=plan), tier("bo"))
    world = under(policy)
    incident = opened(world=world, policies=(policy,))
    (sms, _) = references(incident, "main", "ana")
    incident = run(incident, (Delivery(reference=sms, status=Attempt.ACCEPTED), T0), world=world).incident
    incident = pass_time(incident, at(0, 30), world)
    (_, call) = references(incident, "main", "ana")
    missed = Delivery(reference=call, status=Attempt.FAILED_PERMANENT, reason="no_answer")
    waits = run(incident, (missed, at(0, 50)), world=world).incident
    assert (waits.main.tier, [kind for kind, _, _ in timers(waits, "main")]) == (
        1,
        ["receipt_overdue", "tier_deadline"],
    )
    outcome = run(waits, (DUE, at(1)), world=world)
    assert (outcome.incident.main.tier, body(outcome, "tier_entered")["reason"]) == (2, "not_reached")


# --------------------------------------------------------------------------------------------------- after a gap


def test_after_an_hour_down_one_tier_is_entered_and_everyone_due_is_told_once():
    """No burst and no skipped tier: one late page, and the next window counts from now."""
    outcome = run(opened(), (DUE, at(75)))
    assert outcome.incident.main.tier == 2
    technical = [e for e in outcome.effects if isinstance(e, Notify) and e.track == "technical"]
    assert [(n.person, n.channel, n.late) for n in technical] == [
        ("bo", "chat", True),
        ("bo", "sms", True),
        ("", "chat", True),
    ]
    entered = next(dict(e.body) for e in outcome.effects if isinstance(e, Record) and e.kind == "tier_entered")
    assert (entered["late"], entered["lateness_seconds"], entered["seconds"]) == (True, 3600, 4500)
    assert outcome.incident.main.pages[0].late
    assert ("tier_deadline", (75 + 10) * 60, "") in timers(outcome.incident, "technical")


@pytest.mark.parametrize(("seconds", "late"), [(LATE_SECONDS, False), (LATE_SECONDS + 1, True)])
def test_what_is_a_few_seconds_behind_is_not_called_late(seconds, late):
    """The word in the text is for gaps that a reader should know of."""
    outcome = run(pass_time(opened(), at(14)), (DUE, at(15, seconds)))
    assert body(outcome, "tier_entered")["late"] is late


def test_lateness_is_each_deadlines_own():
    """One look acts on two tracks; what was due just now is not late because the other is."""
    outcome = run(pass_time(opened(), at(10)), (DUE, at(30)))
    records = [entry for entry in outcome.effects if isinstance(entry, Record)]
    entered = [(entry.track, entry.body["lateness_seconds"]) for entry in records if entry.kind == "tier_entered"]
    resort = [(entry.track, entry.body["late"]) for entry in records if entry.kind == "last_resort"]
    assert (entered, resort) == ([("technical", 900)], [("stakeholder", False)])


def test_a_move_takes_the_due_details_of_its_track_along():
    """When the tier is over, its reminders and plan steps that were due too are not sent any more."""
    outcome = run(opened(), (DUE, at(20)))
    assert {who for _, who, _ in notices(outcome)} == {"bo", ""}
    assert "reminded" not in journal(outcome)


def test_a_snooze_that_ended_during_the_gap_pages_its_tier_late():
    """The sleep is over; the page says that it comes late."""
    incident = run(opened(), (Snooze(person="ana", via=WEB, seconds=600), T0)).incident
    outcome = run(incident, (DUE, at(20)))
    pages = [e for e in outcome.effects if isinstance(e, Notify) and e.kind == "page"]
    assert {(n.person, n.late) for n in pages} == {("ana", True)}


# ---------------------------------------------------------------------------------------------- the legal clock

BREACH = {"policies": (PAYMENTS, LEGAL), "cause": Cause.EXCEPTION}


def statutory(outcome):
    """Return who is told of the legal clock."""
    return [(who, channel) for kind, who, channel in notices(outcome) if kind == "statutory"]


def case(severity=ERROR):
    """Return a breach held by vp in its legal track, the technical one held by ana, just before its first day ends."""
    incident = opened(severity, **BREACH)
    acks = [(Ack(person=who, via=WEB, track=track), T0) for who, track in
            (("ana", "technical"), ("vp", "stakeholder"), ("vp", "compliance"))]  # fmt: skip
    return run(incident, *acks).incident


def test_the_legal_clock_does_not_stop_for_an_ack():
    """A day in, the owner is told, with the end of the period and not the time of the reminder."""
    incident = case()
    first_day = T0 + timedelta(days=1)
    only_clock = replace(incident, timers=tuple(t for t in incident.timers if t.kind == "statutory"))
    outcome = run(only_clock, (DUE, first_day))
    assert (outcome.reason, statutory(outcome)) == (Reason.STATUTORY_DUE, [("vp", "mail")])
    entry = body(outcome, "statutory")
    assert (entry["regime"], entry["due_at"]) == ("gdpr", (T0 + timedelta(days=3)).isoformat())


def test_the_legal_clock_reaches_those_who_are_paged_when_nobody_has_it():
    """Without an owner everyone of the tier is told."""
    incident = opened(ERROR, **BREACH)
    clock = replace(incident, timers=tuple(t for t in incident.timers if t.kind == "statutory"))
    assert statutory(run(clock, (DUE, T0 + timedelta(days=1)))) == [("vp", "mail")]


@pytest.mark.parametrize(
    ("world", "told"),
    [
        (unreachable(("vp", "email")), [("vp", "sms")]),
        (without("vp"), [("cto", "sms")]),
        (without("vp", "cto", "bo", "cy"), [("ana", "sms")]),
        (without("vp", "cto", "bo", "cy", "ana"), []),
    ],
    ids=["another way of the owner's", "else the last resort", "else anybody", "nobody is left at all"],
)
def test_the_legal_clock_never_speaks_to_an_empty_room(world, told):
    """An owner who left or cannot be reached does not make the deadline pass in silence."""
    incident = case()
    clock = replace(incident, timers=tuple(t for t in incident.timers if t.kind == "statutory"))
    assert statutory(run(clock, (DUE, T0 + timedelta(days=1)), world=world)) == told


def test_legal_reminders_that_were_missed_are_one_notice():
    """After four days down the case is told once, not once for each reminder."""
    incident = case()
    clock = replace(incident, timers=tuple(t for t in incident.timers if t.kind == "statutory"))
    outcome = run(clock, (DUE, T0 + timedelta(days=4)))
    assert (statutory(outcome), outcome.incident.timers) == ([("vp", "mail")], ())


def test_the_legal_clock_without_a_period_names_its_own_instant():
    """A pinned policy that lost its compliance part still says when it spoke."""
    bare = replace(LEGAL, compliance=None)
    world = replace(WORLD, policies={**WORLD.policies, LEGAL.hash: bare})
    incident = case()
    clock = replace(incident, timers=tuple(t for t in incident.timers if t.kind == "statutory"))
    outcome = run(clock, (DUE, T0 + timedelta(days=1)), world=world)
    assert body(outcome, "statutory")["due_at"] == (T0 + timedelta(days=1)).isoformat()


def test_a_last_resort_of_nobody_is_no_place_for_the_legal_clock_to_end():
    """The tier and the last resort were empty when it started; by the deadline somebody is there."""
    policy = replace(LEGAL, hash="legal-2", last_resort=LastResort(page=(person("x"),), plan=URGENT))
    empty = under(policy, without("ana", "bo", "cy", "vp", "cto"))
    incident = opened(ERROR, empty, policies=(policy,))
    assert incident.main.pages == ()
    clock = replace(incident, timers=tuple(t for t in incident.timers if t.kind == "statutory"))
    later = under(policy, without("bo", "cy", "vp", "cto"))
    assert statutory(run(clock, (DUE, T0 + timedelta(days=1)), world=later)) == [("ana", "sms")]


def test_a_person_who_left_takes_their_deadlines_along():
    """Steps and receipts of somebody who is gone are not waited for."""
    incident = run(opened(), (PersonGone(person="ana"), at(1))).incident
    assert all("ana" not in subject for _, _, subject in timers(incident, "technical"))
