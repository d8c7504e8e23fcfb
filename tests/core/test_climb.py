"""Climbing: empty tiers, repeats, the last resort, and the steps of a contact plan."""

from dataclasses import replace

import pytest

from escalatord.core.alert import Severity
from escalatord.core.events import Ack, Delivery, PageNext, TimersDue, Withdraw
from escalatord.core.incident import Attempt, Cause, Reason, TimerKind, TrackState, Via
from escalatord.core.invariants import violations
from escalatord.core.policy import ContactPlan, LastResort, PlanStep, Target, TargetKind
from tests.fakes.world import (
    MAIL,
    PAYMENTS,
    T0,
    URGENT,
    USUAL,
    WORLD,
    at,
    body,
    fired,
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

ERROR, CRITICAL = Severity.ERROR, Severity.CRITICAL
PAGED = ("page", "last_resort")


def pages(outcome):
    """Return who is paged by what, call-offs and room updates left out."""
    return [(who, channel) for kind, who, channel in notices(outcome) if kind in PAGED]


def open_under(policy, world=WORLD, **changes):
    """Return the outcome of opening an incident under one policy alone, and its world."""
    world = under(policy, world)
    return run(None, (fired(policies=(policy,), **changes), T0), world=world), world


# --------------------------------------------------------------------------------------------------- the ladder


def test_an_unacked_tier_gives_way_to_the_next_at_its_deadline():
    """After exactly the tier's window the next one is paged, with a window of its own."""
    incident = pass_time(opened(), at(14, 59))
    assert incident.main.tier == 1
    outcome = run(incident, (TimersDue(), at(15)))
    assert (outcome.reason, outcome.incident.main.tier) == (Reason.TIMEOUT, 2)
    assert pages(outcome) == [("bo", "chat"), ("bo", "sms")]
    entered = body(outcome, "tier_entered")
    expected = {
        "to_tier": 2,
        "from_tier": 1,
        "cycle": 0,
        "first": True,
        "seconds": 900,
        "people": ["bo"],
        "late": False,
    }
    assert {key: entered[key] for key in expected} == expected
    assert ("tier_deadline", 900 + 600, "") in timers(outcome.incident, "technical")


def test_the_whole_night_without_an_answer():
    """Every tier in its turn, once more from the top, then the last resort every half hour, for ever."""
    incident, climbs = opened(), []
    while incident.next_due_at <= at(60 * 3):
        outcome = run(incident, (TimersDue(), incident.next_due_at))
        minute = (incident.next_due_at - T0).total_seconds() / 60
        incident = outcome.incident
        assert violations(incident) == ()
        main = incident.main
        if main.epoch != (climbs[-1][0] if climbs else 1):
            climbs.append((main.epoch, minute, main.state.value, main.tier, main.cycle))
    assert [climb[1:] for climb in climbs] == [
        (15, "running", 2, 0),
        (25, "running", 3, 0),
        (35, "running", 1, 1),
        (50, "running", 2, 1),
        (60, "running", 3, 1),
        (70, "last_resort", 3, 1),
        (100, "last_resort", 3, 1),
        (130, "last_resort", 3, 1),
        (160, "last_resort", 3, 1),
    ]


def test_a_repeat_is_no_first_time():
    """The figures count the first time that each tier is reached."""
    incident = pass_time(opened(), at(49))
    assert body(run(incident, (TimersDue(), at(50))), "tier_entered")["first"] is False


def test_an_empty_tier_uses_its_backup():
    """Nobody of the tier can be reached: those behind it are paged in the same step."""
    outcome = run(None, (fired(), T0), world=without("ana"))
    assert (outcome.incident.main.tier, pages(outcome)[:2]) == (1, [("bo", "chat"), ("bo", "sms")])
    assert "tier_skipped" not in journal(outcome)


def test_an_empty_tier_without_backup_is_passed_over_at_once():
    """It does not wait out its window; the journal says whom it looked for."""
    outcome = run(pass_time(opened(), at(14)), (TimersDue(), at(15)), world=without("bo"))
    assert outcome.incident.main.tier == 3
    assert pages(outcome) == [("cy", "sms"), ("cy", "call")]
    skipped = body(outcome, "tier_skipped")
    assert (skipped["tier"], skipped["targets"], skipped["reason"]) == (2, "person bo", "nobody_on_call")
    assert body(outcome, "tier_entered")["reason"] == "nobody_on_call"


def test_people_are_looked_up_when_their_tier_is_entered():
    """Who joined the team at 01:10 is paged at 01:25."""
    incident = pass_time(opened(), at(24))
    ruleset = replace(WORLD.ruleset, teams={"leads": ("vp",)})
    outcome = run(incident, (TimersDue(), at(25)), world=replace(WORLD, ruleset=ruleset))
    assert {who for who, _ in pages(outcome)} == {"vp"}


def test_a_ladder_of_empty_tiers_ends_at_the_last_resort_in_the_same_step():
    """Repeats of nobody are not waited for."""
    policy = ladder(tier("x"), tier("y"))
    policy = replace(policy, tracks=(replace(policy.tracks[0], repeat=5),))
    outcome, _ = open_under(policy)
    assert (outcome.incident.main.state, outcome.incident.main.tier) == (TrackState.LAST_RESORT, 2)
    assert journal(outcome) == ["opened", "tier_skipped", "tier_skipped", "exhausted", "last_resort"]
    assert pages(outcome) == [("cto", "sms"), ("cto", "call")]


def test_a_repeat_finds_those_who_are_there_again():
    """The last tier is empty, but the repeat starts at tier 1 in the same step."""
    policy = ladder(tier("ana"), tier("x"))
    policy = replace(policy, tracks=(replace(policy.tracks[0], repeat=1),))
    outcome, world = open_under(policy)
    outcome = run(outcome.incident, (TimersDue(), at(10)), world=world)
    main = outcome.incident.main
    assert (main.state, main.tier, main.cycle) == (TrackState.RUNNING, 1, 1)


# ---------------------------------------------------------------------------------------------- the last resort


@pytest.mark.parametrize(
    ("gone", "owner", "paged"),
    [
        ((), None, {"cto"}),
        (("cto",), person("vp"), {"vp"}),
        (("cto",), None, {"ana", "bo", "cy", "vp"}),
        (("cto", "vp"), person("vp"), {"ana", "bo", "cy"}),
    ],
    ids=["its own people", "else the policy's owner", "no owner: everyone", "owner gone too: everyone"],
)
def test_the_last_resort_always_finds_somebody(gone, owner, paged):
    """As long as one person in the roster can be reached, somebody is paged."""
    outcome, _ = open_under(ladder(tier("x"), owner=owner), without(*gone))
    assert {who for who, _ in pages(outcome)} == paged


def test_with_nobody_at_all_the_last_resort_keeps_trying():
    """An empty roster is looked at again at every beat; whoever is added later is paged then."""
    empty = without("ana", "bo", "cy", "vp", "cto")
    outcome, _ = open_under(ladder(tier("ana")), empty)
    incident = outcome.incident
    assert (pages(outcome), incident.main.state, incident.next_due_at) == ([], TrackState.LAST_RESORT, at(30))
    assert violations(incident) == ()
    outcome = run(incident, (TimersDue(), at(30)), world=under(ladder(tier("ana"))))
    assert pages(outcome) == [("cto", "sms"), ("cto", "call")]
    assert body(outcome, "last_resort")["reason"] == "last_resort_repeated"


def test_the_last_resort_is_held_by_an_ack_and_climbs_from_the_last_tier_when_that_ends():
    """An ack there is an ack; when its hold runs out the last tier is paged and the last resort follows."""
    policy = ladder(tier("x"), tier("bo", within=600), ack_hold_seconds={ERROR: 3600})
    outcome, world = open_under(policy)
    incident = pass_time(outcome.incident, at(10), world)
    assert incident.main.state is TrackState.LAST_RESORT
    incident = run(incident, (Ack(person="cto", via=Via.CALL), at(11)), world=world).incident
    assert [kind for kind, _, _ in timers(incident, "main")] == ["ack_question"]
    incident = pass_time(incident, at(11 + 60 + 10), world)
    assert (incident.main.state, incident.main.tier) == (TrackState.RUNNING, 2)
    assert pass_time(incident, at(11 + 60 + 20), world).main.state is TrackState.LAST_RESORT


def test_nobody_owns_a_last_resort_that_follows_an_expired_ack():
    """With every tier empty by then, the last resort rings at once and the old owner's name is gone."""
    policy = ladder(tier("ana"), ack_hold_seconds={ERROR: 3600})
    outcome, world = open_under(policy)
    held = run(outcome.incident, (Ack(person="ana", via=Via.WEB), T0), world=world).incident
    incident = pass_time(held, at(70), without("ana", world=world))
    assert (incident.main.state, incident.main.owner, incident.main.acked_at) == (TrackState.LAST_RESORT, "", None)


def test_each_beat_of_the_last_resort_takes_back_what_the_one_before_did_not_send():
    """A provider that was away for hours does not deliver one page per half hour at once."""
    outcome, world = open_under(ladder(tier("x")))
    assert Withdraw(track="main") not in outcome.effects
    outcome = run(outcome.incident, (TimersDue(), at(30)), world=world)
    assert outcome.effects[0] == Withdraw(track="main")


def test_a_plan_step_of_the_last_resort_speaks_as_the_last_resort():
    """The second call two minutes later says the same as the first, not that its reader is in some tier."""
    outcome, world = open_under(ladder(tier("x")))
    assert ("plan_step", 120, "cto/2") in timers(outcome.incident, "main")
    outcome = run(outcome.incident, (TimersDue(), at(2)), world=world)
    assert notices(outcome) == [("last_resort", "cto", "call")]


# ------------------------------------------------------------------------------------------------- all at once


def test_all_tiers_at_once_page_each_person_once_by_the_last_plan():
    """`start_at: all` rings everybody; somebody of two tiers rings once, and by what the last plan uses."""
    policy = ladder(tier("ana", plan=MAIL), tier("bo", plan=MAIL), tier("bo", "cy", plan=URGENT, within=300))
    outcome, _ = open_under(policy, start_at=0, cause=Cause.EXCEPTION)
    assert pages(outcome) == [(who, channel) for who in ("ana", "bo", "cy") for channel in ("sms", "call")]
    incident = outcome.incident
    assert (incident.main.tier, incident.main.top) == (3, 3)
    assert ("tier_deadline", 300, "") in timers(incident, "main")
    assert body(outcome, "tier_entered")["reason"] == "exception"


def test_all_tiers_at_once_with_nobody_in_any_go_to_the_last_resort():
    """The exception is not lost in an empty house."""
    outcome, _ = open_under(ladder(tier("x"), tier("y")), start_at=0)
    assert outcome.incident.main.state is TrackState.LAST_RESORT


# --------------------------------------------------------------------------------------------- the contact plan


def plan(*steps):
    """Return a contact plan."""
    return ContactPlan(name="plan", steps=steps)


SMS, CALL_LATER = PlanStep(by="sms"), PlanStep(by="call", after_seconds=60)
SMS_OR_CALL = PlanStep(by="sms", if_failed=("sms_backup", "call"))


@pytest.mark.parametrize(
    ("cut_off", "steps", "paged", "waiting"),
    [
        ([], (SMS, CALL_LATER), ["sms"], ["ana/1"]),
        ([], (PlanStep(by="sms", after_seconds=30), CALL_LATER), [], ["ana/0", "ana/1"]),
        (["sms"], (SMS_OR_CALL,), ["call"], []),
        (["sms"], (SMS, CALL_LATER), ["call"], []),
        (
            ["sms"],
            (SMS, PlanStep(by="mail"), CALL_LATER),
            ["mail"],
            ["ana/2"],
        ),
        (["sms", "call"], (SMS, CALL_LATER), ["mail"], ["ana/1"]),
        (["sms", "call"], (PlanStep(by="sms", after_seconds=9),), ["mail"], ["ana/0"]),
    ],
    ids=[
        "what is due now goes out, the rest waits",
        "a plan of late steps only is left to its times",
        "the first way of a step that can be used",
        "nothing can go out now: the later step is pulled forward",
        "one of two goes out: the later one keeps its time",
        "no step can be used: any other way that the person has",
        "not even a late one: any other way that the person has",
    ],
)
def test_a_plan_is_followed_as_far_as_the_person_can_be_reached(cut_off, steps, paged, waiting):
    """Somebody with a dead number is paged by what is left, at once."""
    world = replace(WORLD, unreachable=frozenset(("ana", key if key != "mail" else "email") for key in cut_off))
    outcome, _ = open_under(ladder(tier("ana", plan=plan(*steps))), world)
    assert [channel for who, channel in pages(outcome) if who == "ana"] == paged
    assert [subject for kind, _, subject in timers(outcome.incident, "main") if kind == "plan_step"] == waiting


def test_a_later_step_goes_out_when_its_time_comes():
    """Three minutes without an ack: the phone rings; the tier stays."""
    outcome = run(opened(), (TimersDue(), at(3)))
    assert (outcome.reason, notices(outcome)) == (Reason.PLAN_STEP, [("page", "ana", "call")])
    assert body(outcome, "paged_step")["channel"] == "call"
    assert outcome.incident.main.told == (("ana", "chat"), ("ana", "sms"), ("ana", "call"))


def test_a_later_step_that_cannot_be_used_any_more_gives_way_to_the_next():
    """STOP came after the page: at its time the step counts as failed and the following one goes out."""
    steps = (PlanStep(by="mail"), PlanStep(by="sms", after_seconds=60), PlanStep(by="call", after_seconds=600))
    outcome, world = open_under(ladder(tier("ana", plan=plan(*steps), within=900)))
    stopped = replace(world, unreachable=frozenset({("ana", "sms")}))
    outcome = run(outcome.incident, (TimersDue(), at(1)), world=stopped)
    assert notices(outcome) == [("page", "ana", "call")]
    assert timers(outcome.incident, "main") == [("tier_deadline", 900, "")]
    assert outcome.incident.main.pages[0].steps[1].status is Attempt.FAILED_PERMANENT


def test_reminders_beyond_the_window_are_not_set():
    """A window cut short by the severity has no reminders that would come after it."""
    assert [kind for kind, _, _ in timers(opened(CRITICAL), "technical")] == ["plan_step", "tier_deadline"]


def test_a_room_that_was_told_is_brought_up_to_date_when_the_tier_changes():
    """The chat message of the incident says who is paged now."""
    outcome = run(pass_time(opened(), at(14)), (TimersDue(), at(15)))
    assert notices(outcome)[-1] == ("update", "", "chat")


def test_a_tier_that_holds_the_same_person_twice_pages_them_once():
    """A person behind two targets of a tier gets one page."""
    rung = tier("bo", plan=USUAL)
    rung = replace(rung, page=(person("bo"), Target(TargetKind.TEAM, "leads")))
    outcome, _ = open_under(ladder(rung))
    assert [page.person for page in outcome.incident.main.pages] == ["bo", "cy"]


def test_all_failed_means_the_next_tier_at_once():
    """When every way to everybody of a tier has failed for good, its window is not waited out."""
    outcome, world = open_under(ladder(tier("ana", "cy", plan=MAIL), tier("bo")))
    incident = outcome.incident
    ana, cy = (references(incident, "main", who)[0] for who in ("ana", "cy"))
    dead = Attempt.FAILED_PERMANENT
    one = run(incident, (Delivery(reference=ana, status=dead), at(1)), world=world)
    assert one.incident.main.tier == 1
    both = run(one.incident, (Delivery(reference=cy, status=dead), at(2)), world=world)
    assert both.incident.main.tier == 2
    assert journal(both) == ["delivery", "not_reached", "tier_entered"]
    assert body(both, "tier_entered")["reason"] == "not_reached"


@pytest.mark.parametrize(("every", "again"), [(1800, 60), (30, 30)])
def test_a_last_resort_that_nobody_heard_tries_again_soon(every, again):
    """There is nowhere further to climb, and half an hour is for people who were told."""
    policy = ladder(tier("x"), last_resort=LastResort(page=(person("cto"),), plan=MAIL, every_seconds=every))
    outcome, world = open_under(policy)
    (mail,) = references(outcome.incident, "main", "cto")
    outcome = run(outcome.incident, (Delivery(reference=mail, status=Attempt.FAILED_PERMANENT), at(0, 9)), world=world)
    assert journal(outcome) == ["delivery", "not_reached"]
    assert timers(outcome.incident, "main") == [("last_resort", 9 + again, "")]


def test_a_last_resort_that_was_taken_keeps_its_beat_without_a_receipt():
    """Receipts that never come (callbacks behind a firewall) must not turn half an hour into a minute."""
    texts = ContactPlan(name="texts", steps=(PlanStep(by="sms"),))
    policy = ladder(tier("x"), last_resort=LastResort(page=(person("cto"),), plan=texts, every_seconds=1800))
    outcome, world = open_under(policy)
    (sms,) = references(outcome.incident, "main", "cto")
    taken = run(outcome.incident, (Delivery(reference=sms, status=Attempt.ACCEPTED), at(0, 9)), world=world).incident
    overdue = run(taken, (TimersDue(), at(0, 69)), world=world)
    assert journal(overdue) == ["no_receipt", "not_reached"]
    assert timers(overdue.incident, "main") == [("last_resort", 1800, "")]


def test_the_next_tier_by_hand_at_the_last_resort_rings_it_again():
    """Pressing harder never makes it quieter."""
    outcome, world = open_under(ladder(tier("x")))
    outcome = run(outcome.incident, (PageNext(person="ana", via=Via.WEB), at(5)), world=world)
    assert pages(outcome) == [("cto", "sms"), ("cto", "call")]
    assert body(outcome, "last_resort")["reason"] == "manual"


def test_a_fallback_channel_that_left_the_rules_is_passed_over():
    """The pinned plan may name a channel that a reload took away."""
    outcome, world = open_under(ladder(tier("ana", plan=plan(SMS_OR_CALL))))
    channels = {name: spec for name, spec in world.ruleset.channels.items() if name != "sms_backup"}
    (sms,) = references(outcome.incident, "main", "ana")
    world = replace(world, ruleset=replace(world.ruleset, channels=channels))
    outcome = run(outcome.incident, (Delivery(reference=sms, status=Attempt.FAILED_PERMANENT), at(1)), world=world)
    assert notices(outcome) == [("page", "ana", "call")]
    assert outcome.incident.main.pages[0].steps[0].fallback == 2


def test_timer_kinds_of_a_running_tier_are_those_of_its_plan():
    """Nothing of another tier is left over after a climb."""
    incident = pass_time(opened(), at(15))
    kinds = {timer.kind for timer in incident.timers if timer.track == "technical"}
    assert kinds == {TimerKind.PLAN_STEP, TimerKind.TIER_DEADLINE}
    assert PAYMENTS.tracks[0].tiers[1].remind_seconds == ()
