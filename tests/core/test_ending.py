"""Endings: who is told that no action is needed, and what is written down."""

from dataclasses import replace

import pytest

from escalatord.core.alert import Severity
from escalatord.core.events import Ack, AlertSettled, PageNext, Record, Resolve, Unack, Withdraw
from escalatord.core.incident import Cause, Reason, State, TrackState, Via
from escalatord.core.invariants import violations
from tests.fakes.world import (
    LEGAL,
    PAYMENTS,
    URGENT,
    WORLD,
    at,
    body,
    journal,
    ladder,
    notices,
    opened,
    pass_time,
    run,
    tier,
    under,
)

SETTLED = AlertSettled(fingerprint="f1", severity=Severity.ERROR)
WEB = Via.WEB


def test_recovery_before_any_ack_stands_everyone_down():
    """The source says that it is over: all timers end in the same step, and all who were paged are told once."""
    outcome = run(pass_time(opened(), at(15)), (SETTLED, at(19)))
    incident = outcome.incident
    assert (outcome.reason, incident.state, incident.timers) == (Reason.RECOVERED, State.RESOLVED, ())
    assert sorted(n for n in notices(outcome) if n[0] == "stand_down") == [
        ("stand_down", "ana", "sms"),
        ("stand_down", "bo", "sms"),
        ("stand_down", "vp", "mail"),
    ]
    assert Withdraw(track="") in outcome.effects
    resolved = body(outcome, "resolved")
    assert (resolved["outcome"], resolved["by"], resolved["seconds"]) == ("resolved_unacked", "", 19 * 60)
    assert (incident.recovered_at, incident.resolved_at, incident.resolved_by) == (at(19), at(19), "")
    assert all(track.pages == () for track in incident.tracks)


def test_recovery_speaks_for_the_source():
    """The entry of the end carries who said so."""
    outcome = run(opened(), (SETTLED, at(1)))
    assert {e.person for e in outcome.effects if isinstance(e, Record)} == {"am"}


def test_recovery_after_an_ack_is_told_to_everyone_who_was_paged():
    """The owner learns that it is over, and so does whoever was paged before them: a page is called off out loud."""
    incident = run(pass_time(opened(), at(15)), (Ack(person="bo", via=WEB), at(16))).incident
    outcome = run(incident, (SETTLED, at(76)))
    told = [n for n in notices(outcome) if n[0] == "stand_down" and n[1] != "vp"]
    assert told == [("stand_down", "ana", "sms"), ("stand_down", "bo", "sms")]
    assert body(outcome, "resolved")["outcome"] == "acked"


def test_an_ack_that_was_taken_back_still_counts_in_the_outcome():
    """Somebody had it for a while: the incident is not one that nobody acked."""
    incident = run(opened(), (Ack(person="ana", via=WEB), at(1)), (Unack(person="ana", via=WEB), at(2))).incident
    assert body(run(incident, (SETTLED, at(3))), "resolved")["outcome"] == "acked"


def test_rooms_are_brought_up_to_date_once_for_each_track():
    """The chat message shows the end, whether or not its readers were paged by text too."""
    outcome = run(opened(), (SETTLED, at(1)))
    assert [n for n in notices(outcome) if n[0] == "update"] == [("update", "", "chat")]


def test_a_quiet_policy_tells_nobody_but_its_rooms():
    """`on_resolve: quiet` updates the chat message and writes no texts."""
    quiet = replace(PAYMENTS, stand_down=False)
    outcome = run(opened(world=under(quiet), policies=(quiet,)), (SETTLED, at(1)), world=under(quiet))
    assert notices(outcome) == [("update", "", "chat")]


def test_somebody_of_two_tracks_is_stood_down_once():
    """One person, one text, however many ladders they stood on."""
    policy = ladder(tier("vp"), name="other", hash="other-1")
    world = under(policy)
    outcome = run(opened(world=world, policies=(PAYMENTS, policy)), (SETTLED, at(1)), world=world)
    assert [n for n in notices(outcome) if n[1] == "vp"] == [("stand_down", "vp", "mail")]


def test_a_waiting_track_ends_without_a_word():
    """Nobody was paged in it, nobody is stood down."""
    incident = opened(Severity.WARNING)
    outcome = run(incident, (AlertSettled(fingerprint="f1", severity=Severity.WARNING), at(1)))
    assert "vp" not in [who for _, who, _ in notices(outcome)]
    assert outcome.incident.track("stakeholder").state is TrackState.ENDED


def test_the_end_after_a_recovery_keeps_its_instant():
    """A case that recovered on Friday and was decided on Monday recovered on Friday."""
    incident = opened(policies=(PAYMENTS, LEGAL), cause=Cause.EXCEPTION)
    incident = run(incident, (SETTLED, at(4))).incident
    outcome = run(incident, (Resolve(person="vp", via=WEB, decision="reported"), at(60)))
    assert (outcome.incident.recovered_at, outcome.incident.resolved_at) == (at(4), at(60))
    assert violations(outcome.incident) == ()
    assert [n for n in notices(outcome) if n[0] == "stand_down"] == []


def test_recovery_of_a_case_is_written_down_once():
    """The journal says that it recovered and stays open; the technical people are stood down, the legal ones not."""
    incident = opened(policies=(PAYMENTS, LEGAL), cause=Cause.EXCEPTION)
    outcome = run(incident, (SETTLED, at(4)))
    assert journal(outcome) == ["recovered"]
    assert outcome.incident.recovered_at == at(4)
    assert outcome.incident.track("compliance") == incident.track("compliance")


# ------------------------------------------------------------------------------------------- how people are told


@pytest.mark.parametrize(
    ("dead", "told"),
    [
        ((), ("stand_down", "ana", "sms")),
        (("sms",), ("stand_down", "ana", "mail")),
        (("sms", "email"), None),
    ],
    ids=["by text", "whoever was only called by another quiet way", "a phone is not rung to say that all is well"],
)
def test_nobody_is_rung_up_to_hear_that_it_is_over(dead, told):
    """Stand-downs are texts or mails, also for those who were paged by call only."""
    world = replace(WORLD, unreachable=frozenset(("ana", key) for key in dead))
    policy = ladder(tier("ana", plan=URGENT))
    world = under(policy, world)
    incident = opened(world=world, policies=(policy,))
    assert ("ana", "call") in incident.main.told
    outcome = run(incident, (SETTLED, at(1)), world=world)
    assert notices(outcome) == ([told] if told else [])


def test_who_was_paged_in_a_room_only_reads_it_there():
    """A text would wake somebody whom the page itself did not."""
    (usual,) = {tier.plan for tier in PAYMENTS.tracks[0].tiers[:2]}
    policy = ladder(tier("ana", plan=replace(usual, steps=usual.steps[:1])))
    outcome = run(opened(world=under(policy), policies=(policy,)), (SETTLED, at(1)), world=under(policy))
    assert notices(outcome) == [("update", "", "chat")]


def test_who_left_the_company_is_not_told():
    """Somebody who is not in the roster any more has no address to write to."""
    incident = run(opened(), (PageNext(person="cy", via=WEB), at(1))).incident
    people = {name: one for name, one in WORLD.ruleset.people.items() if name != "ana"}
    world = replace(WORLD, ruleset=replace(WORLD.ruleset, people=people))
    outcome = run(incident, (SETTLED, at(2)), world=world)
    assert sorted(who for kind, who, _ in notices(outcome) if kind == "stand_down") == ["bo", "vp"]
