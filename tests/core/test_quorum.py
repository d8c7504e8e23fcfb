"""How many acks hold a tier, and what happens until there are enough."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escalatord.core.alert import Severity
from escalatord.core.events import (
    Ack,
    Delivery,
    Notify,
    PageNext,
    PassOn,
    PersonGone,
    Snooze,
    TimersDue,
    Unack,
    Withdraw,
)
from escalatord.core.incident import Attempt, NoticeKind, Page, Reason, State, Track, TrackState, Via
from escalatord.core.invariants import violations
from escalatord.core.policy import NEED_ALL
from escalatord.core.quorum import is_met, needed
from tests.fakes.world import (
    T0,
    USUAL,
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
    without,
)

WEB = Via.WEB
ALL = ladder(tier("ana", "bo", need=NEED_ALL), tier("cy"), hash="all")
TWO = ladder(tier("ana", "bo", "cy", need=2, plan=USUAL, remind_seconds=(300,)), tier("vp"), hash="two")


def ack(person, **more):
    """Return the person's ack of the main track."""
    return Ack(person=person, via=WEB, track="main", **more)


def night(policy, *events):
    """Return the incident of a policy after events at T0, with its world."""
    world = under(policy)
    incident = opened(world=world, policies=(policy,))
    return run(incident, *((event, T0) for event in events), world=world), world


# ----------------------------------------------------------------------------------------------------- counting


@given(need=st.integers(0, 6), paged=st.integers(0, 5), acks=st.integers(0, 7))
def test_a_quorum_is_never_impossible(need, paged, acks):
    """Once everybody who is paged has acked it is met, whatever the tier asks for; without any ack it is not."""
    pages = tuple(Page(person=f"p{number}", tier=1, target="", at=T0) for number in range(paged))
    track = Track(name="t", policy="p", need=need, pages=pages, acks=tuple(f"p{number}" for number in range(acks)))
    assert 1 <= needed(track) <= max(1, paged)
    if acks == 0:
        assert not is_met(track)
    elif acks >= paged:
        assert is_met(track)
    assert is_met(track) is (acks > 0 and acks >= needed(track))


def test_everybody_means_everybody_who_is_paged():
    """A volunteer replaces nobody where all are wanted, and counts where a number is."""
    pages = tuple(Page(person=who, tier=1, target="", at=T0) for who in ("ana", "bo"))
    track = Track(name="t", policy="p", need=NEED_ALL, pages=pages, acks=("ana", "cy"))
    assert not is_met(track)
    assert is_met(replace(track, acks=("cy", "ana", "bo")))
    assert is_met(replace(track, need=2))


# ------------------------------------------------------------------------------------------------------ climbing


def test_the_first_of_two_acks_leaves_its_person_in_peace():
    """Nothing waits for Ana any more and nothing unsent goes out to her; Bo and Cy are paged on."""
    outcome, _ = night(TWO, ack("ana"))
    incident = outcome.incident
    assert outcome.reason is Reason.ACK_COUNTED
    assert (incident.state, incident.main.state, incident.main.owner) == (State.OPEN, TrackState.RUNNING, "")
    assert incident.main.acks == ("ana",)
    assert Withdraw(track="main", person="ana") in outcome.effects
    assert [who for kind, _, who in timers(incident, "main") if kind == "plan_step"] == ["bo/2", "cy/2"]
    told = body(outcome, "acknowledged")
    assert (told["first"], told["acks"], told["needed"], told["reason"]) == (True, 1, 2, "ack_counted")
    assert incident.first_acked_at == T0
    assert violations(incident) == ()


def test_nobody_is_told_to_sleep_before_there_are_enough():
    """The room is brought up to date; the others get no call-off."""
    outcome, _ = night(TWO, ack("ana"))
    assert notices(outcome) == [("update", "", "chat")]


def test_enough_acks_hold_the_track_for_the_first_who_acked():
    """Ana owns it, Bo is with her, Cy is off the hook; the answer that was first stays the first."""
    outcome, world = night(TWO, ack("ana"))
    outcome = run(outcome.incident, (ack("bo"), at(1)), world=world)
    incident = outcome.incident
    assert outcome.reason is Reason.ACKNOWLEDGED
    assert (incident.state, incident.acknowledged_by, incident.main.acks) == (State.ACKNOWLEDGED, "ana", ("ana", "bo"))
    told = body(outcome, "acknowledged")
    assert (told["first"], told["person"], told["acks"]) == (False, "bo", 2)
    assert [(kind, who) for kind, who, _ in notices(outcome) if kind == "acked"] == [("acked", "ana"), ("acked", "cy")]
    assert incident.first_acked_at == T0
    assert violations(incident) == ()


def test_the_same_ack_twice_counts_once():
    """Ana says it again: it is written down, and one is still missing."""
    outcome, _ = night(TWO, ack("ana"), ack("ana"))
    assert (outcome.reason, journal(outcome)) == (Reason.ACK_COUNTED, ["ack_duplicate"])
    assert outcome.incident.main.acks == ("ana",)


def test_the_others_are_reminded_and_the_one_who_acked_is_not():
    """A reminder goes to who is waited for."""
    outcome, world = night(TWO, ack("ana"))
    outcome = run(outcome.incident, (TimersDue(), at(5)), world=world)
    assert body(outcome, "reminded")["people"] == ["bo", "cy"]
    assert {e.person for e in outcome.effects if isinstance(e, Notify) and e.kind is NoticeKind.REMIND} == {"bo", "cy"}


def test_too_few_acks_do_not_stop_the_climb():
    """The window ends: the next tier is entered, counts anew, and knows who helps already."""
    outcome, world = night(TWO, ack("ana"))
    incident = pass_time(outcome.incident, at(10), world)
    assert (incident.main.tier, incident.main.acks, incident.main.helping) == (2, (), ("ana",))
    assert (incident.main.need, needed(incident.main)) == (1, 1)
    held = run(incident, (ack("vp"), at(11)), world=world).incident
    assert (held.main.state, held.main.owner) == (TrackState.ACKNOWLEDGED, "vp")


def test_a_late_ack_from_the_tier_before_counts_where_one_is_needed():
    """Bo answers after it moved on: it is his, as ever."""
    outcome, world = night(TWO, ack("ana"))
    incident = pass_time(outcome.incident, at(10), world)
    outcome = run(incident, (ack("bo"), at(11)), world=world)
    assert (outcome.reason, outcome.incident.main.owner) == (Reason.ACKNOWLEDGED_LATE, "bo")


def test_who_is_gone_is_not_waited_for():
    """Bo leaves the rules: everybody else of `all` has acked, so Ana owns it at once."""
    outcome, world = night(ALL, ack("ana"))
    outcome = run(outcome.incident, (PersonGone(person="bo"), at(1)), world=without("bo", world=world))
    assert outcome.reason is Reason.PERSON_REMOVED
    assert (outcome.incident.main.state, outcome.incident.main.owner) == (TrackState.ACKNOWLEDGED, "ana")
    assert journal(outcome) == ["person_gone", "quorum_met"]
    assert violations(outcome.incident) == ()


def test_the_ack_of_somebody_who_left_no_longer_counts():
    """Ana acked and left: Bo alone is all there is, and is still to ack."""
    outcome, world = night(ALL, ack("ana"), PersonGone(person="ana"))
    assert outcome.incident.main.acks == ()
    assert [page.person for page in outcome.incident.main.pages] == ["bo"]
    held = run(outcome.incident, (ack("bo"), at(1)), world=world).incident
    assert held.main.owner == "bo"


def test_a_volunteer_who_leaves_takes_only_the_ack_along():
    """Vp was not paged and acked one of two; without vp nobody has."""
    outcome, _ = night(TWO, ack("vp"), PersonGone(person="vp"))
    assert outcome.incident.main.acks == ()
    assert len(outcome.incident.main.pages) == 3


def test_when_nobody_else_can_be_reached_the_next_tier_is_entered_at_once():
    """All that was sent to Bo has failed; Ana has acked and does not count as unreached."""
    outcome, world = night(ALL)
    references = {page.person: page.steps[0].reference for page in outcome.incident.main.pages}
    failed = Delivery(reference=references["bo"], status=Attempt.FAILED_PERMANENT)
    outcome = run(outcome.incident, (ack("ana"), T0), (failed, T0), world=world)
    assert (outcome.incident.main.tier, journal(outcome)[-2:]) == (2, ["not_reached", "tier_entered"])


def test_the_last_ack_that_can_come_is_followed_at_once_too():
    """Bo's messages failed before Ana acked: her ack shows that nobody is left to wait for."""
    outcome, world = night(ALL)
    reference = next(page.steps[0].reference for page in outcome.incident.main.pages if page.person == "bo")
    failed = Delivery(reference=reference, status=Attempt.FAILED_PERMANENT)
    outcome = run(outcome.incident, (failed, T0), (ack("ana"), T0), world=world)
    assert (outcome.reason, outcome.incident.main.tier) == (Reason.ACK_COUNTED, 2)


def test_news_of_a_message_to_who_has_acked_starts_nothing():
    """It failed, and nobody minds: the next channel would wake who is up."""
    outcome, world = night(TWO, ack("ana"))
    (sms,) = [
        s.reference for p in outcome.incident.main.pages if p.person == "ana" for s in p.steps if s.channel == "sms"
    ]
    outcome = run(outcome.incident, (Delivery(reference=sms, status=Attempt.FAILED_PERMANENT), T0), world=world)
    assert notices(outcome) == []


# --------------------------------------------------------------------------------------------- other answers


def test_one_of_two_takes_it_back_and_is_paged_again():
    """Bo's ack stays; Ana is back among those who are paged, in the same window."""
    outcome, world = night(TWO, ack("ana"))
    deadline = [t for t in outcome.incident.timers if t.kind.value == "tier_deadline"]
    outcome = run(outcome.incident, (Unack(person="ana", via=WEB), at(1)), world=world)
    main = outcome.incident.main
    assert (outcome.reason, main.acks, main.tier) == (Reason.UNACKNOWLEDGED, (), 1)
    assert [page.person for page in main.pages] == ["bo", "cy", "ana"]
    assert ("page", "ana", "sms") in notices(outcome)
    assert [t for t in outcome.incident.timers if t.kind.value == "tier_deadline"] == deadline


def test_a_volunteer_takes_it_back_without_being_paged():
    """Vp was not paged before and is not now."""
    outcome, _ = night(TWO, ack("vp"), Unack(person="vp", via=WEB, track="main"))
    assert (outcome.incident.main.acks, notices(outcome)) == ((), [])


def test_who_owns_another_track_takes_that_one_back():
    """Without a track named, what is held by oneself is meant before what one only helps with."""
    outcome, world = night(TWO, ack("ana"), ack("bo"))
    outcome = run(outcome.incident, (Unack(person="ana", via=WEB), at(1)), world=world)
    assert (outcome.reason, outcome.incident.main.state) == (Reason.UNACKNOWLEDGED, TrackState.RUNNING)
    assert outcome.incident.main.acks == ()


def test_a_snooze_that_is_not_enough_counts_as_an_ack():
    """There is nothing to snooze yet; once it is held, its owner may."""
    snooze = Snooze(person="ana", via=WEB, seconds=600, track="main")
    outcome, world = night(TWO, snooze)
    assert (outcome.reason, outcome.incident.main.acks) == (Reason.ACK_COUNTED, ("ana",))
    outcome = run(outcome.incident, (replace(snooze, person="bo"), at(1)), world=world)
    assert (outcome.reason, outcome.incident.main.owner) == (Reason.ACKNOWLEDGED, "ana")
    outcome = run(outcome.incident, (snooze, at(2)), world=world)
    assert (outcome.reason, outcome.incident.main.owner) == (Reason.SNOOZED, "ana")


def test_a_snooze_of_the_only_one_who_is_paged_is_a_snooze():
    """All of one is one."""
    outcome, _ = night(ladder(tier("ana", need=NEED_ALL), hash="one"), Snooze(person="ana", via=WEB, seconds=600))
    assert outcome.reason is Reason.SNOOZED


@pytest.mark.parametrize(
    "event", [PassOn(person="bo", via=WEB, track="main"), PageNext(person="cy", via=WEB, track="main")]
)
def test_passing_on_leaves_the_tier_whoever_has_acked(event):
    """The next tier is asked for, and gets it; who helps is remembered."""
    outcome, _ = night(TWO, ack("ana"), event)
    assert (outcome.incident.main.tier, outcome.incident.main.helping) == (2, ("ana",))


def test_who_takes_over_stands_first():
    """Cy takes it from Ana: the one who owns it is always the first of those who acked."""
    outcome, world = night(TWO, ack("ana"), ack("bo"))
    taken = run(outcome.incident, (ack("cy", take_over=True), at(1)), world=world).incident
    assert (taken.main.owner, taken.main.acks) == ("cy", ("cy", "ana", "bo"))
    snoozed = run(taken, (Snooze(person="cy", via=WEB, seconds=600, track="main"), at(2)), world=world).incident
    assert snoozed.main.owner == "cy"


def test_the_last_resort_needs_one():
    """Nobody is counted there: the first human ends it."""
    policy = ladder(tier("ana", "bo", need=NEED_ALL), hash="resort")
    outcome, world = night(policy, PageNext(person="cy", via=WEB))
    assert outcome.incident.main.state is TrackState.LAST_RESORT
    held = run(outcome.incident, (ack("cto"), at(1)), world=world).incident
    assert held.main.owner == "cto"


def test_a_worse_severity_asks_everybody_again():
    """What it was is not what was acked: the count begins anew, in no longer a window."""
    outcome, world = night(TWO, ack("ana"))
    worse = fired(severity=Severity.CRITICAL, previous=Severity.ERROR, policies=(TWO,))
    incident = run(outcome.incident, (worse, at(1)), world=world).incident
    assert (incident.main.acks, incident.main.helping, len(incident.main.pages)) == ((), ("ana",), 3)


def test_an_owner_paged_again_holds_it_alone():
    """A new alert pages the owner: all of one is one, whatever the tier needs."""
    outcome, world = night(ALL, ack("ana"), ack("bo"))
    again = run(outcome.incident, (fired(fingerprint="f2", policies=(ALL,)), at(1)), world=world).incident
    assert [page.person for page in again.main.pages] == ["ana"]
    held = run(again, (ack("ana"), at(2)), world=world).incident
    assert held.main.state is TrackState.ACKNOWLEDGED


def test_every_tier_at_once_needs_what_the_last_one_needs():
    """`start_at: all` has the last tier's window, plan and number."""
    policy = ladder(tier("ana"), tier("bo", "cy", need=2), hash="at-once")
    world = under(policy)
    incident = opened(world=world, policies=(policy,), start_at=0)
    outcome = run(incident, (ack("ana"), T0), world=world)
    assert outcome.reason is Reason.ACK_COUNTED
    assert run(outcome.incident, (ack("bo"), T0), world=world).incident.main.owner == "ana"
