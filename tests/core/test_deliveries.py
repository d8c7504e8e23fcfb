"""News of attempts and people who leave: a failure starts the next way, and nothing but a human ends a ladder."""

import itertools
from dataclasses import replace

import pytest

from escalatord.core.events import Ack, Delivery, PersonGone, Resolve
from escalatord.core.incident import Attempt, NoticeKind, Reason, State, TrackState, Via
from escalatord.core.invariants import violations
from escalatord.core.policy import ContactPlan, PlanStep
from tests.fakes.world import (
    T0,
    USUAL,
    WORLD,
    at,
    body,
    journal,
    ladder,
    notices,
    opened,
    pass_time,
    references,
    run,
    tier,
    timers,
    under,
    without,
)

ACCEPTED, DELIVERED = Attempt.ACCEPTED, Attempt.DELIVERED
TEMPORARY, PERMANENT = Attempt.FAILED_TEMPORARY, Attempt.FAILED_PERMANENT


def news(reference, status, reason=""):
    """Return what a provider said."""
    return Delivery(reference=reference, status=status, reason=reason)


def sms_of_ana(incident):
    """Return the reference of ana's text."""
    return references(incident, "technical", "ana")[1]


# ------------------------------------------------------------------------------------------------------ receipts


def test_the_first_page_that_a_provider_takes_is_measured_once():
    """Time to first page is the first acceptance of anything, and never again."""
    incident = opened()
    outcome = run(incident, (news(sms_of_ana(incident), ACCEPTED), at(0, 3)))
    assert (outcome.reason, outcome.incident.first_paged_at) == (Reason.DELIVERY_ADVANCED, at(0, 3))
    assert body(outcome, "first_paged")["seconds"] == 3
    chat = references(incident, "technical", "ana")[0]
    later = run(outcome.incident, (news(chat, DELIVERED), at(0, 5)))
    assert (journal(later), later.incident.first_paged_at) == (["delivery"], at(0, 3))


def test_news_is_written_down_with_its_cause():
    """`explain` shows what became of each attempt."""
    incident = opened()
    outcome = run(incident, (news(sms_of_ana(incident), PERMANENT, "number_unknown"), at(0, 3)))
    entry = body(outcome, "delivery")
    assert (entry["channel"], entry["status"], entry["why"]) == ("sms", "failed_permanent", "number_unknown")
    assert (entry["reference"], entry["person"]) == (sms_of_ana(incident), "ana")


@pytest.mark.parametrize(
    ("reference", "status", "reason"),
    [
        ("i9-9-9", DELIVERED, Reason.DELIVERY_STALE),
        ("i1-1-1", ACCEPTED, Reason.DELIVERY_UNCHANGED),
        ("i1-1-1", TEMPORARY, Reason.DELIVERY_UNCHANGED),
        ("i1-1-1", Attempt.SENDING, Reason.DELIVERY_UNCHANGED),
    ],
    ids=["of no attempt of ours", "told twice", "a doubt after it was taken", "older than what is known"],
)
def test_news_that_tells_nothing_new_changes_nothing(reference, status, reason):
    """Copies and callbacks out of order are answered and leave no trace."""
    incident = run(opened(), (news("i1-1-1", ACCEPTED), at(0, 1))).incident
    outcome = run(incident, (news(reference, status), at(0, 2)))
    assert (outcome.reason, outcome.incident is incident, outcome.effects) == (reason, True, ())


def test_news_in_any_order_ends_in_the_same_knowledge():
    """Whatever a provider says in whatever order, the attempt ends up in one state; delivered beats everything."""
    ends = set()
    for order in itertools.permutations([Attempt.SENDING, TEMPORARY, ACCEPTED, DELIVERED]):
        incident = opened()
        reference = references(incident, "stakeholder", "vp")[0]
        for status in order:
            incident = run(incident, (news(reference, status), at(0, 1))).incident
        page = incident.track("stakeholder").pages[0]
        ends.add((page.steps[0].status, page.steps[0].reference == reference))
    assert ends == {(DELIVERED, True)}


def test_a_channel_without_receipts_is_not_waited_for():
    """Mail that was accepted is as good as it gets."""
    incident = opened()
    mail = references(incident, "stakeholder", "vp")[0]
    after = run(incident, (news(mail, ACCEPTED), at(0, 1))).incident
    assert timers(after, "stakeholder") == [("tier_deadline", 1800, "")]


def test_the_patience_for_a_receipt_is_the_plans():
    """`failed_after` of the step counts from the acceptance."""
    plan = ContactPlan(name="plan", steps=(PlanStep(by="sms", failed_after_seconds=20),))
    policy = ladder(tier("ana", plan=plan))
    incident = opened(world=under(policy), policies=(policy,))
    (sms,) = references(incident, "main", "ana")
    after = run(incident, (news(sms, ACCEPTED), at(0, 5)), world=under(policy)).incident
    assert ("receipt_overdue", 25, "ana/0") in timers(after, "main")


def test_a_way_outside_the_plan_has_the_usual_patience():
    """Somebody paged by what they have, because their plan cannot be used, gets a minute like everybody."""
    plan = ContactPlan(name="plan", steps=(PlanStep(by="mail"),))
    policy = ladder(tier("ana", plan=plan), tier("bo"))
    world = replace(under(policy), unreachable=frozenset({("ana", "email")}))
    incident = opened(world=world, policies=(policy,))
    (_, sms) = references(incident, "main", "ana")
    after = run(incident, (news(sms, ACCEPTED), at(0, 5)), world=world).incident
    assert ("receipt_overdue", 65, "ana/1") in timers(after, "main")
    assert run(after, (news(sms, PERMANENT), at(0, 6)), world=world).incident.main.tier == 2


# ------------------------------------------------------------------------------------------------------ failures


@pytest.mark.parametrize("status", [TEMPORARY, PERMANENT])
def test_a_failure_starts_the_next_way_of_the_step_at_once(status):
    """An error does not wait for anything: the backup, then the call."""
    incident = opened()
    outcome = run(incident, (news(sms_of_ana(incident), status), at(0, 2)))
    assert notices(outcome) == [("page", "ana", "sms_backup")]
    outcome = run(outcome.incident, (news(sms_of_ana(outcome.incident), status), at(0, 4)))
    assert notices(outcome) == [("page", "ana", "call")]
    assert outcome.incident.main.pages[0].steps[1].fallback == 2
    assert outcome.incident.main.told == (("ana", "chat"), ("ana", "sms"), ("ana", "sms_backup"), ("ana", "call"))


def test_news_of_an_attempt_that_was_replaced_is_stale():
    """After the fallback went out the old text's callback moves nothing."""
    incident = opened()
    old = sms_of_ana(incident)
    incident = run(incident, (news(old, PERMANENT), at(0, 2))).incident
    assert run(incident, (news(old, DELIVERED), at(0, 9))).reason is Reason.DELIVERY_STALE


def test_a_failure_without_fallback_pulls_the_next_step_forward():
    """The call that was to come after three minutes rings now, once."""
    incident = opened()
    chat = references(incident, "technical", "ana")[0]
    outcome = run(incident, (news(chat, PERMANENT), at(0, 2)))
    assert notices(outcome) == [("page", "ana", "call")]
    assert "plan_step" not in [kind for kind, _, _ in timers(outcome.incident, "technical")]


def test_of_several_later_steps_the_next_one_is_pulled_forward():
    """The others keep their times."""
    steps = (PlanStep(by="mail"), PlanStep(by="sms", after_seconds=60), PlanStep(by="call", after_seconds=120))
    policy = ladder(tier("ana", plan=ContactPlan(name="plan", steps=steps)))
    incident = opened(world=under(policy), policies=(policy,))
    outcome = run(incident, (news("i1-1-0", PERMANENT), at(0, 2)), world=under(policy))
    assert notices(outcome) == [("page", "ana", "sms")]
    assert ("plan_step", 120, "ana/2") in timers(outcome.incident, "main")


def test_an_answered_call_without_a_key_goes_on_with_the_next_person():
    """Voicemail is a failure like any other: when it was the last way, the next tier is paged."""
    plan = ContactPlan(name="plan", steps=(PlanStep(by="call"),))
    policy = ladder(tier("ana", plan=plan), tier("bo"))
    world = under(policy)
    incident = opened(world=world, policies=(policy,))
    outcome = run(incident, (news("i1-1-0", PERMANENT, "no_key"), at(0, 40)), world=world)
    assert outcome.incident.main.tier == 2


def test_a_failure_that_will_be_tried_again_does_not_end_the_tier():
    """A temporary failure of the only way leaves the tier its window: the sender tries again."""
    policy = ladder(tier("ana"), tier("bo"))
    incident = opened(world=under(policy), policies=(policy,))
    outcome = run(incident, (news("i1-1-0", TEMPORARY), at(0, 2)), world=under(policy))
    assert (outcome.incident.main.tier, journal(outcome)) == (1, ["delivery"])


def test_one_who_was_reached_keeps_the_tier():
    """Delivered to one of two: the other's dead phone does not take the time of the one who reads."""
    policy = ladder(tier("ana", "bo"), tier("cy"))
    world = under(policy)
    incident = opened(world=world, policies=(policy,))
    incident = run(incident, (news("i1-1-0", DELIVERED), at(0, 1)), (news("i1-1-1", PERMANENT), at(0, 2)), world=world)
    assert incident.incident.main.tier == 1


def test_news_after_an_ack_is_kept_and_pages_nobody():
    """A failure of the old page does not wake anybody once it is in hand."""
    incident = run(opened(), (Ack(person="ana", via=Via.WEB), at(1))).incident
    outcome = run(incident, (news(sms_of_ana(incident), PERMANENT), at(1, 5)))
    assert (outcome.reason, notices(outcome), journal(outcome)) == (Reason.DELIVERY_ADVANCED, [], ["delivery"])
    accepted = run(incident, (news(sms_of_ana(incident), ACCEPTED), at(1, 5)))
    assert (timers(accepted.incident, "technical"), accepted.incident.first_paged_at) == (
        timers(incident, "technical"), at(1, 5),
    )  # fmt: skip


def test_fallbacks_at_the_last_resort_speak_as_the_last_resort():
    """The fallback of a last-resort page says what the page said."""
    policy = ladder(tier("x"))
    policy = replace(policy, last_resort=replace(policy.last_resort, plan=USUAL))
    incident = opened(world=under(policy), policies=(policy,))
    (_, sms, _) = references(incident, "main", "cto")
    outcome = run(incident, (news(sms, PERMANENT), at(0, 2)), world=under(policy))
    assert notices(outcome) == [(NoticeKind.LAST_RESORT, "cto", "sms_backup")]


# ------------------------------------------------------------------------------------------------ people who leave


def test_the_tier_goes_on_with_those_who_are_left():
    """One of two is removed: the other keeps the tier and its window."""
    incident = pass_time(opened(), at(25))
    assert [page.person for page in incident.main.pages] == ["bo", "cy"]
    outcome = run(incident, (PersonGone(person="bo"), at(26)))
    assert (outcome.reason, journal(outcome)) == (Reason.PERSON_REMOVED, ["person_gone"])
    assert [page.person for page in outcome.incident.main.pages] == ["cy"]
    assert all("bo" not in subject for _, _, subject in timers(outcome.incident, "technical"))
    assert ("tier_deadline", 35 * 60, "") in timers(outcome.incident, "technical")


def test_an_empty_tier_falls_through_at_once():
    """The only one who was paged is removed: the next tier does not wait for their window."""
    outcome = run(opened(), (PersonGone(person="ana"), at(1)), world=without("ana"))
    assert outcome.incident.main.tier == 2
    assert body(outcome, "tier_entered")["reason"] == "nobody_on_call"


def test_a_tier_whose_last_reachable_person_left_falls_through():
    """Those who are left were never reached by anything: waiting for them is waiting for nobody."""
    policy = ladder(tier("ana", "bo"), tier("cy"))
    world = under(policy)
    incident = opened(world=world, policies=(policy,))
    incident = run(incident, (news("i1-1-0", PERMANENT), at(0, 2)), world=world).incident
    outcome = run(incident, (PersonGone(person="bo"), at(1)), world=without("bo", world=world))
    assert (outcome.incident.main.tier, body(outcome, "tier_entered")["reason"]) == (2, "not_reached")


def test_the_last_resort_is_asked_for_somebody_else():
    """When the last resort leaves, whoever else is there is paged in the same step."""
    policy = ladder(tier("x"))
    incident = opened(world=under(policy), policies=(policy,))
    world = under(policy, without("cto", "vp"))
    outcome = run(incident, (PersonGone(person="cto"), at(1)), world=world)
    assert {who for _, who, _ in notices(outcome)} == {"ana", "bo", "cy"}
    assert violations(outcome.incident) == ()


def test_an_owner_who_leaves_gives_back_what_they_own():
    """A ghost does not hold an incident for a day: the tier is paged at once."""
    incident = run(opened(), (Ack(person="ana", via=Via.WEB), at(1))).incident
    outcome = run(incident, (PersonGone(person="ana"), at(5)), world=without("ana"))
    main = outcome.incident.main
    assert (main.state, main.owner, [page.person for page in main.pages]) == (TrackState.RUNNING, "", ["bo"])
    assert (outcome.incident.state, outcome.incident.acknowledged_by) == (State.OPEN, "")
    assert journal(outcome) == ["person_gone", "tier_repaged"]


@pytest.mark.parametrize("person", ["cy", "nobody"])
def test_somebody_who_has_no_part_in_it_may_leave(person):
    """Nothing changes for those who are paged."""
    incident = opened()
    outcome = run(incident, (PersonGone(person=person), at(1)))
    assert (outcome.reason, outcome.incident is incident) == (Reason.NOT_DUE, True)


def test_nothing_is_learned_of_a_closed_incident():
    """Late callbacks after the end are answered and leave no trace."""
    incident = run(opened(), (Resolve(person="ana", via=Via.WEB), T0)).incident
    outcome = run(incident, (news("i1-1-1", DELIVERED), at(1)), world=WORLD)
    assert (outcome.reason, outcome.incident is incident) == (Reason.DELIVERY_STALE, True)
