"""Whom a tier pages of those it could: filters, preference, stand-ins, and plans of one's own."""

from dataclasses import replace

import pytest

from escalatord.core.events import Ack, Delivery, PersonGone, TimersDue
from escalatord.core.incident import Attempt, Reason, TrackState, Via
from escalatord.core.policy import (
    ContactPlan,
    FilterKind,
    LastResort,
    PlanStep,
    Prefer,
    Target,
    TargetFilter,
    TargetKind,
)
from tests.fakes.world import (
    T0,
    URGENT,
    USUAL,
    at,
    body,
    fired,
    journal,
    ladder,
    notices,
    opened,
    pass_time,
    person,
    run,
    tier,
    timers,
    under,
    without,
)

LEAST = {"prefer": Prefer.LEAST_PAGED_24H}
ONE = ladder(tier("ana", "bo", "cy", **LEAST), tier("vp"), hash="one")


def paged(incident):
    """Return who is being paged on the main track."""
    return [page.person for page in incident.main.pages]


def counting(policy, **counts):
    """Return the world of a policy in which people were paged so often."""
    return replace(under(policy), paged=counts)


def started(policy, world):
    """Return the first step of an incident."""
    return run(None, (fired(policies=(policy,)), T0), world=world)


# --------------------------------------------------------------------------------------------------- preference


@pytest.mark.parametrize(
    ("counts", "pick", "expected"),
    [
        ({}, 1, ["ana"]),
        ({"ana": 1}, 1, ["bo"]),
        ({"ana": 3, "bo": 2, "cy": 1}, 1, ["cy"]),
        ({"ana": 3, "bo": 2, "cy": 1}, 2, ["cy", "bo"]),
        ({"ana": 3}, 9, ["bo", "cy", "ana"]),
    ],
)
def test_those_who_were_paged_least_are_paged(counts, pick, expected):
    """So many as the tier picks; more than there are is everybody."""
    policy = ladder(tier("ana", "bo", "cy", pick=pick, **LEAST), hash="pick")
    outcome = started(policy, counting(policy, **counts))
    assert paged(outcome.incident) == expected
    told = dict(body(outcome, "tier_entered")["preferred"])
    assert told == {name: counts.get(name, 0) for name in ("ana", "bo", "cy")}


def test_who_is_picked_and_cannot_be_reached_is_followed_by_the_next_of_the_tier():
    """In the same window, at once; only when nobody of the tier is left the next one is entered."""
    world = counting(ONE)
    incident = started(ONE, world).incident
    deadline = timers(incident, "main")
    for number, name in enumerate(("ana", "bo")):
        (page,) = [page for page in incident.main.pages if page.person == name]
        failed = Delivery(reference=page.steps[0].reference, status=Attempt.FAILED_PERMANENT)
        outcome = run(incident, (failed, at(number + 1)), world=world)
        incident = outcome.incident
        assert journal(outcome)[-1] == "paged_more"
        assert (incident.main.tier, timers(incident, "main")) == (1, deadline)
    assert paged(incident) == ["ana", "bo", "cy"]
    (page,) = [page for page in incident.main.pages if page.person == "cy"]
    failed = Delivery(reference=page.steps[0].reference, status=Attempt.FAILED_PERMANENT)
    outcome = run(incident, (failed, at(3)), world=world)
    assert (outcome.incident.main.tier, paged(outcome.incident)) == (2, ["vp"])


def test_who_is_picked_and_leaves_is_followed_by_the_next_of_the_tier():
    """The tier is not over because the one it chose is gone."""
    world = counting(ONE)
    incident = started(ONE, world).incident
    outcome = run(incident, (PersonGone(person="ana"), at(1)), world=without("ana", world=world))
    assert (outcome.reason, outcome.incident.main.tier, paged(outcome.incident)) == (Reason.PERSON_REMOVED, 1, ["bo"])


def test_who_was_picked_and_is_silent_has_the_tiers_window():
    """Nobody else of the tier is woken for that; the next tier is what follows."""
    world = counting(ONE)
    outcome = run(started(ONE, world).incident, (TimersDue(), at(10)), world=world)
    assert (outcome.incident.main.tier, paged(outcome.incident)) == (2, ["vp"])


def test_every_tier_at_once_pages_everybody():
    """`start_at: all` chooses nobody out."""
    world = counting(ONE)
    incident = opened(world=world, policies=(ONE,), start_at=0)
    assert sorted(paged(incident)) == ["ana", "bo", "cy", "vp"]


def test_a_last_resort_stands_nobody_in():
    """It has its own beat; everybody is paged already."""
    policy = ladder(tier("ana", **LEAST), hash="resort")
    world = counting(policy)
    incident = pass_time(started(policy, world).incident, at(10), world)
    assert incident.main.state is TrackState.LAST_RESORT
    refused = [Delivery(reference=s.reference, status=Attempt.FAILED_PERMANENT) for s in incident.main.pages[0].steps]
    outcome = run(incident, *((event, at(11)) for event in refused if event.reference), world=world)
    assert outcome.incident.main.state is TrackState.LAST_RESORT


# ------------------------------------------------------------------------------------------------------- filters


def test_a_tier_that_its_filters_empty_is_left_at_once_and_says_why():
    """I5: no tier swallows a page."""
    nobody = Target(TargetKind.PERSON, "ana", (TargetFilter(FilterKind.SKILL, "cobol"),))
    policy = ladder(replace(tier("ana"), page=(nobody,)), tier("bo"), hash="empty")
    outcome = started(policy, under(policy))
    assert (outcome.incident.main.tier, paged(outcome.incident)) == (2, ["bo"])
    skipped = body(outcome, "tier_skipped")
    assert skipped["targets"] == "person ana & skill cobol"
    assert skipped["rejected"] == [["ana", "has no skill cobol"]]


def test_a_backup_stands_in_for_those_who_do_not_pass():
    """And the journal names both: who was rejected, and who is paged."""
    nobody = Target(TargetKind.PERSON, "ana", (TargetFilter(FilterKind.REGION, "us"),))
    policy = ladder(replace(tier("ana"), page=(nobody,), backup=(person("bo"),)), hash="backup")
    outcome = started(policy, under(policy))
    assert paged(outcome.incident) == ["bo"]
    assert body(outcome, "tier_entered")["rejected"] == [["ana", "is not in region us"]]


def test_a_last_resort_that_its_filters_empty_falls_back_on_somebody():
    """The owner of the policy, else everybody: a filter never ends in silence."""
    filters = (TargetFilter(FilterKind.LANGUAGE, "fr"),)
    resort = LastResort(page=(Target(TargetKind.PERSON, "cto", filters),), plan=URGENT)
    policy = ladder(tier("ana"), last_resort=resort, owner=person("vp"), hash="resort")
    incident = pass_time(started(policy, under(policy)).incident, at(10), under(policy))
    assert (incident.main.state, paged(incident)) == (TrackState.LAST_RESORT, ["vp"])


# ------------------------------------------------------------------------------------------- plans of one's own


def planning(policy, name, **plans):
    """Return the world of a policy in which somebody keeps plans of their own."""
    world = under(policy)
    own = {plan: ContactPlan(name=plan, steps=steps) for plan, steps in plans.items()}
    people = {**world.ruleset.people, name: replace(world.ruleset.people[name], plans=own)}
    return replace(world, ruleset=replace(world.ruleset, people=people))


ANA = ladder(tier("ana", "bo", plan=USUAL), hash="ana")


def test_a_plan_of_ones_own_is_used_beside_the_companys():
    """Ana is called at once; Bo is not. The steps stand on her page."""
    world = planning(ANA, "ana", usual=(PlanStep(by="call"), PlanStep(by="mail", after_seconds=60)))
    outcome = started(ANA, world)
    told = {(who, channel) for kind, who, channel in notices(outcome) if kind == "page"}
    assert told == {("ana", "chat"), ("ana", "sms"), ("ana", "call"), ("bo", "chat"), ("bo", "sms")}
    steps = [(after, who) for kind, after, who in timers(outcome.incident, "main") if kind == "plan_step"]
    assert steps == [(60.0, "ana/3"), (180.0, "bo/2")]
    ana, bo = outcome.incident.main.pages
    assert ([step.by for step in ana.plan], bo.plan) == (["chat", "sms", "call", "mail"], ())


def test_a_plan_for_another_plan_changes_nothing():
    """It is kept by the name of the plan that it makes stricter."""
    outcome = started(ANA, planning(ANA, "ana", urgent=(PlanStep(by="call"),)))
    assert outcome.incident.main.pages[0].plan == ()


def test_other_rules_do_not_shift_the_steps_of_a_page_under_way():
    """What the page began with is what it goes on with: its steps are found by their place."""
    world = planning(ANA, "ana", usual=(PlanStep(by="mail", after_seconds=60),))
    incident = started(ANA, world).incident
    outcome = run(incident, (TimersDue(), at(1)), world=under(ANA))
    assert notices(outcome) == [("page", "ana", "mail")]
    assert journal(outcome) == ["paged_step"]


def test_fallbacks_and_patience_of_ones_own_count():
    """Without a receipt the call comes after twenty seconds, not after sixty."""
    own = PlanStep(by="sms", if_failed=("mail",), failed_after_seconds=20)
    world = planning(ANA, "ana", usual=(own,))
    incident = started(ANA, world).incident
    (sms,) = [step.reference for step in incident.main.pages[0].steps if step.channel == "sms"]
    outcome = run(incident, (Delivery(reference=sms, status=Attempt.ACCEPTED), T0), world=world)
    overdue = [after for kind, after, _ in timers(outcome.incident, "main") if kind == "receipt_overdue"]
    assert overdue == [20.0]
    for _ in range(3):  # the company's two fallbacks, then the person's own
        (page,) = [page for page in outcome.incident.main.pages if page.person == "ana"]
        failed = Delivery(reference=page.steps[1].reference, status=Attempt.FAILED_PERMANENT)
        outcome = run(outcome.incident, (failed, T0), world=world)
    assert notices(outcome) == [("page", "ana", "mail")]


def test_a_channel_of_ones_own_reaches_who_has_none_of_the_plans():
    """Cy has no phone; the company's plan has only texts, and Cy's own plan has mail."""
    policy = ladder(tier("ana", plan=ContactPlan(name="texts", steps=(PlanStep(by="sms"),))), hash="texts")
    world = planning(policy, "ana", texts=(PlanStep(by="mail", after_seconds=30),))
    people = {**world.ruleset.people}
    people["ana"] = replace(people["ana"], addresses={"email": "ana@example.com"})
    outcome = started(policy, replace(world, ruleset=replace(world.ruleset, people=people)))
    assert notices(outcome) == [("page", "ana", "mail")]


def test_somebody_who_left_the_rules_has_no_plan():
    """A page of the owner again, after the rules lost them, asks nobody's plan."""
    world = planning(ANA, "ana", usual=(PlanStep(by="call"),))
    held = run(started(ANA, world).incident, (Ack(person="ana", via=Via.WEB), at(1)), world=world).incident
    again = run(held, (fired(fingerprint="f2", policies=(ANA,)), at(2)), world=without("ana", world=world)).incident
    assert paged(again) == ["bo"]
