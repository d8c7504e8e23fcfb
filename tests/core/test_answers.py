"""What humans say: acks early, late, twice and by volunteers; take-overs, pass-ons, snoozes, notes, resolves."""

import math
from dataclasses import replace
from datetime import timedelta

import pytest

from escalatord.core.alert import Severity
from escalatord.core.events import (
    Ack,
    AlertSettled,
    Note,
    PageNext,
    PassOn,
    Record,
    Resolve,
    Snooze,
    TimersDue,
    Unack,
    Withdraw,
)
from escalatord.core.incident import Cause, Reason, State, TrackState, Via
from escalatord.core.invariants import violations
from tests.fakes.world import (
    LEGAL,
    PAYMENTS,
    T0,
    at,
    body,
    fired,
    journal,
    ladder,
    notices,
    opened,
    pass_time,
    run,
    tier,
    timers,
    under,
)

ERROR, CRITICAL = Severity.ERROR, Severity.CRITICAL
WEB, SMS, CALL = Via.WEB, Via.SMS, Via.CALL
EIGHT_HOURS = 28800.0


def ack(person, via=WEB, **how):
    """Return an ack."""
    return Ack(person=person, via=via, **how)


def called_off(outcome):
    """Return whom an outcome tells that it is off their hands."""
    return [(kind, who, channel) for kind, who, channel in notices(outcome) if kind in ("acked", "stand_down")]


def at_tier_2():
    """Return an incident whose first tier slept: ana was paged, bo is."""
    return pass_time(opened(), at(15))


# ---------------------------------------------------------------------------------------------------------- ack


def test_an_ack_ends_the_pages_of_its_track_and_makes_an_owner():
    """One tap: no deadline but the end of the hold, nothing unsent goes out, the incident says who has it."""
    outcome = run(opened(), (ack("ana", SMS, detail="K7"), at(2)))
    incident = outcome.incident
    main = incident.main
    assert outcome.reason is Reason.ACKNOWLEDGED
    assert (main.state, main.owner, main.acked_at, main.acked_via, main.acked_tier) == (
        TrackState.ACKNOWLEDGED, "ana", at(2), SMS, 1,
    )  # fmt: skip
    assert (incident.state, incident.acknowledged_by, incident.acknowledged_at) == (State.ACKNOWLEDGED, "ana", at(2))
    assert (incident.acknowledged_via, incident.first_acked_at) == (SMS, at(2))
    assert timers(incident, "technical") == [("ack_question", 120 + EIGHT_HOURS, "")]
    assert Withdraw(track="technical") in outcome.effects
    assert notices(outcome) == [("update", "", "chat")]
    entry = body(outcome, "acknowledged")
    assert {key: entry[key] for key in ("via", "seconds", "first", "late", "volunteer", "tier", "detail")} == {
        "via": "sms", "seconds": 120, "first": True, "late": False, "volunteer": False, "tier": 1, "detail": "K7",
    }  # fmt: skip
    assert (entry["hold_seconds"], entry["hold_until"]) == (
        EIGHT_HOURS, (at(2) + timedelta(seconds=EIGHT_HOURS)).isoformat(),
    )  # fmt: skip


def test_an_ack_moves_no_other_track():
    """The stakeholders are informed until one of them says so."""
    incident = run(opened(), (ack("ana"), at(2))).incident
    assert incident.track("stakeholder") == opened().track("stakeholder")
    outcome = run(incident, (ack("vp", Via.MAIL), at(3)))
    assert outcome.incident.track("stakeholder").owner == "vp"
    assert outcome.incident.acknowledged_by == "ana"
    assert body(outcome, "acknowledged")["first"] is False


def test_an_ack_that_comes_after_the_tier_moved_counts():
    """The late one owns it, and those paged since are told; the figures know that it was late."""
    outcome = run(at_tier_2(), (ack("ana", SMS), at(16)))
    assert outcome.reason is Reason.ACKNOWLEDGED_LATE
    assert (outcome.incident.main.owner, outcome.incident.main.acked_tier) == ("ana", 2)
    assert called_off(outcome) == [("acked", "bo", "sms")]
    entry = body(outcome, "acknowledged")
    assert (entry["late"], entry["volunteer"], entry["seconds"]) == (True, False, 960)


def test_an_ack_by_the_second_tier_tells_the_first_to_sleep():
    """Everybody paged in the track is told once, by text, never by a call."""
    outcome = run(at_tier_2(), (ack("bo", CALL), at(16)))
    assert outcome.reason is Reason.ACKNOWLEDGED
    assert called_off(outcome) == [("acked", "ana", "sms")]


def test_a_volunteer_may_take_what_nobody_took():
    """Somebody who was not paged is accepted and written down as a volunteer."""
    outcome = run(opened(), (ack("cy"), at(1)))
    assert (outcome.reason, outcome.incident.main.owner) == (Reason.ACKNOWLEDGED, "cy")
    assert body(outcome, "acknowledged")["volunteer"] is True
    assert called_off(outcome) == [("acked", "ana", "sms")]


def test_the_second_of_two_is_told_who_has_it():
    """The first commit wins; both are in the journal."""
    incident = run(at_tier_2(), (ack("bo"), at(16))).incident
    outcome = run(incident, (ack("ana", SMS), at(16, 1)))
    assert (outcome.reason, outcome.incident.main.owner) == (Reason.ALREADY_ACKNOWLEDGED, "bo")
    assert (body(outcome, "ack_duplicate")["owner"], notices(outcome)) == ("bo", [])


def test_acking_twice_changes_nothing_and_extends_nothing():
    """A double tap is no second hold."""
    incident = run(opened(), (ack("ana"), at(1))).incident
    outcome = run(incident, (ack("ana", CALL), at(5)))
    assert (outcome.reason, journal(outcome)) == (Reason.ALREADY_YOURS, ["ack_duplicate"])
    assert outcome.incident.timers == incident.timers
    assert outcome.incident.main == incident.main


def test_joining_leaves_the_owner_and_is_told_of_the_end():
    """Who joins helps; they are on the hook again and hear when it is over."""
    incident = run(at_tier_2(), (ack("bo"), at(16))).incident
    outcome = run(incident, (ack("ana", SMS, join=True), at(17)))
    assert (outcome.reason, journal(outcome)) == (Reason.JOINED_RESPONSE, ["ack_joined"])
    assert outcome.incident.main.owner == "bo"
    end = run(outcome.incident, (AlertSettled(fingerprint="f1", severity=ERROR), at(30)))
    assert sorted(who for _, who, _ in called_off(end)) == ["ana", "bo", "vp"]


def test_who_knows_that_it_is_off_their_hands_is_not_told_again():
    """Alert after alert joins and is acked by its owner: those who sleep get one text, not one for each."""
    incident = run(at_tier_2(), (ack("bo"), at(16))).incident
    for minute in (20, 30, 40):
        again = run(incident, (fired(fingerprint=f"f{minute}"), at(minute)))
        outcome = run(again.incident, (ack("bo"), at(minute + 1)))
        assert called_off(outcome) == []
        incident = outcome.incident
    end = run(incident, (Resolve(person="cto", via=WEB), at(50)))
    told = [("stand_down", "ana", "sms"), ("stand_down", "bo", "sms"), ("stand_down", "vp", "mail")]
    assert sorted(called_off(end)) == told


def test_who_is_paged_again_after_the_all_clear_hears_the_next_one():
    """Ana was told to sleep, was paged once more when the hold ended, and is told again."""
    incident = run(at_tier_2(), (ack("bo"), at(16)), (PageNext(person="bo", via=WEB), at(17))).incident
    incident = pass_time(incident, at(27))
    assert incident.main.pages[0].person == "ana"
    outcome = run(incident, (ack("bo"), at(28)))
    assert ("acked", "ana", "sms") in called_off(outcome)


def test_taking_over_makes_another_owner_with_a_hold_of_their_own():
    """The owner before is told; the new one has the whole time, also when the old one was just being asked."""
    incident = run(at_tier_2(), (ack("bo"), at(16))).incident
    asked_at = at(16) + timedelta(seconds=EIGHT_HOURS)
    asked = run(incident, (TimersDue(), asked_at)).incident
    outcome = run(asked, (ack("ana", SMS, take_over=True), asked_at + timedelta(minutes=9)))
    main = outcome.incident.main
    assert outcome.reason is Reason.TAKEN_OVER
    assert (main.owner, main.acked_via, main.acked_at) == ("ana", SMS, asked_at + timedelta(minutes=9))
    assert (outcome.incident.acknowledged_by, outcome.incident.first_acked_at) == ("ana", at(16))
    assert called_off(outcome) == [("acked", "bo", "sms")]
    assert body(outcome, "taken_over")["from"] == "bo"
    hold_ends = asked_at + timedelta(minutes=9, seconds=EIGHT_HOURS)
    assert timers(outcome.incident, "technical") == [("ack_question", (hold_ends - T0).total_seconds(), "")]


def test_taking_over_a_snooze_leaves_its_end():
    """The new owner sleeps as long as the old one wanted to, not longer."""
    incident = run(opened(), (Snooze(person="ana", via=WEB, seconds=600), T0)).incident
    outcome = run(incident, (ack("bo", take_over=True), at(5)))
    assert timers(outcome.incident, "technical") == [("snooze_end", 600, "")]


@pytest.mark.parametrize("track", ["stakeholder", "nowhere"])
def test_an_ack_of_a_track_that_waits_or_is_unknown_is_refused(track):
    """A link to a track that does not ring acks nothing else instead."""
    incident = opened(Severity.WARNING)
    outcome = run(incident, (ack("vp", track=track), at(1)))
    assert (outcome.reason, outcome.incident) == (Reason.NO_SUCH_TRACK, incident)


# ------------------------------------------------------------------------------------------- which track is meant


def test_an_answer_means_the_track_where_the_person_is_being_paged():
    """The dpo's reply holds the legal track, though the technical one is the first."""
    incident = opened(policies=(PAYMENTS, LEGAL), cause=Cause.EXCEPTION, severity=Severity.WARNING)
    outcome = run(incident, (ack("vp"), at(1)))
    assert [t.owner for t in outcome.incident.tracks] == ["", "", "vp"]


def test_a_second_answer_means_the_next_track_that_pages_the_same_person():
    """Somebody paged in two tracks answers for one at a time."""
    incident = opened(policies=(PAYMENTS, LEGAL), severity=ERROR)
    incident = run(incident, (ack("vp"), at(1)), (ack("vp"), at(2))).incident
    assert [t.owner for t in incident.tracks] == ["", "vp", "vp"]


def test_a_late_answer_to_an_ended_track_takes_no_other_track():
    """The engineer's reply after the recovery must not take the legal case from the dpo."""
    incident = run(
        opened(CRITICAL, policies=(PAYMENTS, LEGAL), cause=Cause.EXCEPTION),
        (AlertSettled(fingerprint="f1", severity=CRITICAL), at(4)),
    ).incident
    for event in (ack("ana", SMS), PageNext(person="ana", via=WEB), Snooze(person="ana", via=WEB, seconds=60)):
        outcome = run(incident, (event, at(5)))
        assert outcome.reason in (Reason.STALE_ANSWER, Reason.NO_SUCH_TRACK)
        assert outcome.incident is incident
    assert run(incident, (ack("cy"), at(5))).incident.track("compliance").owner == "cy"


def test_a_late_answer_stays_with_the_track_it_was_asked_for():
    """What rings on for others is not taken by somebody whose own track is over."""
    stays = ladder(tier("ana"), name="stays", hash="stays", never=frozenset({"auto_resolve"}))
    ends = ladder(tier("vp"), name="ends", hash="ends")
    world = under(stays, under(ends))
    incident = opened(world=world, policies=(stays, ends))
    incident = run(incident, (AlertSettled(fingerprint="f1", severity=ERROR), at(1)), world=world).incident
    assert [track.state.value for track in incident.tracks] == ["running", "ended"]
    assert run(incident, (ack("vp", SMS), at(2)), world=world).reason is Reason.STALE_ANSWER


def test_an_owner_who_was_never_paged_still_means_their_own_track():
    """A volunteer's later answer goes to what they own, not to the first track."""
    incident = run(opened(), (ack("cy", track="stakeholder"), at(1))).incident
    assert run(incident, (ack("cy"), at(2))).reason is Reason.ALREADY_YOURS


# ------------------------------------------------------------------------------------------------------- unack


def test_taking_an_ack_back_pages_the_same_tier_again():
    """A wrong key is undone; the tier has its window again and nobody owns it."""
    incident = run(at_tier_2(), (ack("bo"), at(16))).incident
    outcome = run(incident, (Unack(person="bo", via=SMS), at(17)))
    main = outcome.incident.main
    assert (outcome.reason, main.state, main.tier, main.owner) == (Reason.UNACKNOWLEDGED, TrackState.RUNNING, 2, "")
    assert ("page", "bo", "sms") in notices(outcome)
    assert journal(outcome) == ["unacknowledged", "tier_repaged"]
    assert (outcome.incident.state, outcome.incident.acknowledged_at) == (State.OPEN, None)
    assert outcome.incident.first_acked_at == at(16)
    assert ("tier_deadline", 17 * 60 + 600, "") in timers(outcome.incident, "technical")


def test_an_ack_after_an_undo_is_not_the_first():
    """Time to acknowledge is measured once."""
    incident = run(opened(), (ack("ana"), at(1)), (Unack(person="ana", via=SMS), at(2))).incident
    outcome = run(incident, (ack("ana"), at(9)))
    assert body(outcome, "acknowledged")["first"] is False
    assert outcome.incident.first_acked_at == at(1)


def test_undo_finds_the_track_that_the_person_owns():
    """Without a name, one's own ack goes first, else the first that is held."""
    incident = run(opened(), (ack("ana"), at(1)), (ack("vp"), at(2))).incident
    assert run(incident, (Unack(person="vp", via=SMS), at(3))).incident.main.owner == "ana"
    assert run(incident, (Unack(person="cto", via=WEB), at(3))).incident.main.owner == ""
    assert run(opened(), (Unack(person="ana", via=SMS), at(3))).reason is Reason.NOT_ACKNOWLEDGED


# -------------------------------------------------------------------------------------------- pass on, page next


def test_passing_on_enters_the_next_tier_now_and_is_no_ack():
    """The paged person says "not me": no minute is lost."""
    outcome = run(opened(), (PassOn(person="ana", via=CALL, epoch=1), at(1)))
    assert (outcome.reason, outcome.incident.main.tier, outcome.incident.state) == (Reason.PASSED_ON, 2, State.OPEN)
    assert journal(outcome) == ["passed_on", "tier_entered"]
    assert body(outcome, "tier_entered")["reason"] == "passed_on"
    assert outcome.incident.first_acked_at is None


def test_an_owner_passes_on_too():
    """Who acked and cannot do it hands over to the next tier; the incident is open again."""
    incident = run(opened(), (ack("ana"), at(1))).incident
    outcome = run(incident, (PassOn(person="ana", via=SMS), at(5)))
    assert (outcome.incident.main.tier, outcome.incident.main.owner, outcome.incident.state) == (2, "", State.OPEN)


@pytest.mark.parametrize(
    ("incident", "event"),
    [
        (at_tier_2(), PassOn(person="ana", via=SMS)),
        (at_tier_2(), PassOn(person="bo", via=SMS, epoch=1)),
        (opened(), PassOn(person="cy", via=WEB)),
        (opened(), PassOn(person="ana", via=WEB, track="nowhere")),
        (run(at_tier_2(), (ack("bo"), at(16))).incident, PassOn(person="ana", via=SMS)),
    ],
    ids=["after the tier moved", "of an old message", "by somebody not paged", "of no track", "of another's ack"],
)
def test_a_pass_on_that_is_not_theirs_or_comes_too_late_moves_nothing(incident, event):
    """Two pass-ons do not skip a tier, and nobody gives away what another has."""
    outcome = run(incident, (event, at(17)))
    assert (outcome.reason, outcome.effects) == (Reason.STALE_TIER, ())
    assert outcome.incident is incident


def test_the_next_tier_by_hand_is_open_to_anyone_and_written_down():
    """Somebody who sees that it is bad does not wait; the reason is theirs."""
    outcome = run(opened(), (PageNext(person="cy", via=WEB), at(1)))
    assert (outcome.reason, outcome.incident.main.tier) == (Reason.MANUAL, 2)
    entry = next(e for e in outcome.effects if isinstance(e, Record))
    assert (entry.kind, entry.reason, entry.person, entry.via) == ("tier_entered", Reason.MANUAL, "cy", WEB)


def test_an_owner_who_needs_help_calls_the_next_tier():
    """Past the last tier it is the last resort."""
    incident = run(opened(), (ack("ana"), at(1))).incident
    for expected in (2, 3, 1, 2, 3):
        outcome = run(incident, (PageNext(person="ana", via=WEB, track="technical"), at(2)))
        incident = outcome.incident
        assert (incident.main.tier, incident.state) == (expected, State.OPEN)
    outcome = run(incident, (PageNext(person="ana", via=WEB, track="technical"), at(3)))
    assert outcome.incident.main.state is TrackState.LAST_RESORT


# ------------------------------------------------------------------------------------------------------- snooze


def test_a_snooze_is_an_ack_that_ends():
    """It holds like an ack and counts as one; when it ends the same tier is paged."""
    outcome = run(opened(), (Snooze(person="ana", via=WEB, seconds=1200), at(1)))
    incident = outcome.incident
    assert (outcome.reason, incident.main.owner, incident.state) == (Reason.SNOOZED, "ana", State.ACKNOWLEDGED)
    assert timers(incident, "technical") == [("snooze_end", 60 + 1200, "")]
    assert journal(outcome) == ["acknowledged", "snoozed"]
    assert (body(outcome, "acknowledged")["first"], body(outcome, "acknowledged")["seconds"]) == (True, 60)
    assert body(outcome, "acknowledged")["detail"] == "snooze"
    assert body(outcome, "snoozed")["until"] == at(21).isoformat()
    ended = run(incident, (TimersDue(), at(21)))
    assert (ended.reason, ended.incident.main.tier, ended.incident.state) == (Reason.SNOOZE_ENDED, 1, State.OPEN)
    assert journal(ended)[:2] == ["snooze_ended", "tier_repaged"]


def test_an_owner_may_snooze_what_they_have():
    """The hold becomes a snooze; that is no second ack."""
    incident = run(opened(), (ack("ana"), at(1))).incident
    outcome = run(incident, (Snooze(person="ana", via=WEB, seconds=600), at(5)))
    assert (outcome.reason, journal(outcome)) == (Reason.SNOOZED, ["snoozed"])
    assert timers(outcome.incident, "technical") == [("snooze_end", 900, "")]


def test_nobody_snoozes_what_another_has():
    """A present owner changes only by taking over."""
    incident = run(at_tier_2(), (ack("bo"), at(16))).incident
    outcome = run(incident, (Snooze(person="ana", via=SMS, seconds=600), at(17)))
    assert (outcome.reason, outcome.incident.main) == (Reason.ALREADY_ACKNOWLEDGED, incident.main)


@pytest.mark.parametrize(
    ("asked", "given"), [(0, 60), (-5, 60), (600, 600), (1e9, 604800), (math.inf, 604800), (math.nan, 60)]
)
def test_a_snooze_is_never_shorter_than_a_minute_nor_longer_than_a_week(asked, given):
    """Whatever a form sends, it ends."""
    outcome = run(opened(), (Snooze(person="ana", via=WEB, seconds=asked), T0))
    assert timers(outcome.incident, "technical") == [("snooze_end", given, "")]


NEVER = replace(ladder(tier("ana")), never=frozenset({"snooze"}))


@pytest.mark.parametrize(
    ("changes", "track", "reason"),
    [
        ({"policies": (PAYMENTS, LEGAL)}, "compliance", Reason.SNOOZE_REFUSED),
        ({"policies": (NEVER,)}, "main", Reason.SNOOZE_REFUSED),
        ({"cause": Cause.EXCEPTION}, "technical", Reason.SNOOZE_REFUSED),
        ({"severity": Severity.WARNING}, "stakeholder", Reason.NO_SUCH_TRACK),
        ({}, "nowhere", Reason.NO_SUCH_TRACK),
    ],
    ids=["compliance", "a policy that never snoozes", "an exception", "a track that waits", "no track"],
)
def test_what_may_not_sleep_does_not(changes, track, reason):
    """A refused snooze changes nothing: it rings on."""
    incident = opened(world=under(NEVER), **changes)
    outcome = run(incident, (Snooze(person="ana", via=WEB, seconds=600, track=track), T0), world=under(NEVER))
    assert (outcome.reason, outcome.incident, outcome.effects) == (reason, incident, ())


# ------------------------------------------------------------------------------------------------ note, resolve


def test_a_note_is_kept_whatever_the_state():
    """What somebody says is in the journal with their name, and changes nothing else."""
    incident = opened()
    outcome = run(incident, (Note(person="cy", via=SMS, text="on my way"), at(1)))
    assert (outcome.reason, body(outcome, "noted")["text"], body(outcome, "noted")["person"]) == (
        Reason.NOTED, "on my way", "cy",
    )  # fmt: skip
    assert replace(outcome.incident, turn=incident.turn) == incident


def test_a_human_closes_an_incident():
    """Everyone paged but the closer is stood down; the outcome says whether anybody had acked."""
    outcome = run(at_tier_2(), (Resolve(person="bo", via=WEB), at(16)))
    incident = outcome.incident
    assert (outcome.reason, incident.state, incident.resolved_by) == (Reason.RESOLVED, State.RESOLVED, "bo")
    assert (incident.resolved_at, incident.recovered_at) == (at(16), None)
    assert sorted(called_off(outcome)) == [("stand_down", "ana", "sms"), ("stand_down", "vp", "mail")]
    resolved = body(outcome, "resolved")
    assert (resolved["outcome"], resolved["by"], resolved["seconds"]) == ("resolved_unacked", "bo", 960)


@pytest.mark.parametrize("decision", ["", "   "])
def test_a_compliance_case_is_not_closed_without_a_decision(decision):
    """Silence and blanks are no decision; what was decided is kept with the track."""
    incident = opened(policies=(PAYMENTS, LEGAL))
    refused = run(incident, (Resolve(person="vp", via=WEB, decision=decision), at(1)))
    assert (refused.reason, refused.incident) == (Reason.RESOLVE_NEEDS_DECISION, incident)
    closed = run(incident, (Resolve(person="vp", via=WEB, decision=" not reportable "), at(2)))
    assert [t.decision for t in closed.incident.tracks] == ["", "", "not reportable"]
    assert body(closed, "resolved")["decision"] == "not reportable"
    assert violations(closed.incident) == ()
