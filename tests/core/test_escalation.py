"""The state machine as a whole: opening, joining, worsening, recovering; and every state against every event."""

from dataclasses import replace

import pytest

from escalatord.core.alert import Severity
from escalatord.core.events import (
    Ack,
    AlertSettled,
    Notify,
    Record,
    Resolve,
    Withdraw,
)
from escalatord.core.incident import Cause, Reason, State, TrackState, Via
from escalatord.core.invariants import violations
from escalatord.core.policy import SeverityOverride
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
    without,
)

INFO, WARNING, ERROR, CRITICAL = Severity
WEB = Via.WEB
BREACH = {"cause": Cause.EXCEPTION, "policies": (PAYMENTS, LEGAL), "severity": CRITICAL}


def state_of(incident, track="technical"):
    """Return where a track is."""
    return incident.track(track).state


def settled(severity=ERROR, fingerprint="f1"):
    """Return the event that an alert of the incident resolved."""
    return AlertSettled(fingerprint=fingerprint, severity=severity)


# ------------------------------------------------------------------------------------------------------ opening


def test_opening_pages_the_first_tier_of_each_track_that_the_severity_reaches():
    """An error starts the technical track by its plan, and the stakeholders, who wait for errors."""
    outcome = run(None, (fired(), T0))
    assert outcome.reason is Reason.OPENED
    assert notices(outcome) == [("page", "ana", "chat"), ("page", "ana", "sms"), ("page", "vp", "mail")]
    assert journal(outcome) == ["opened", "tier_entered", "tier_entered"]
    assert timers(outcome.incident, "technical") == [
        ("plan_step", 180, "ana/2"),
        ("reminder", 300, ""),
        ("reminder", 600, ""),
        ("tier_deadline", 900, ""),
    ]
    assert (outcome.incident.state, outcome.incident.opened_at, outcome.incident.alerts) == (State.OPEN, T0, 1)
    assert outcome.incident.firing == (0, 0, 1, 0)


def test_opening_writes_down_why():
    """The entry holds what `explain` shows months later."""
    outcome = run(None, (fired(actor="nagios", why={"rules": "r1"}, truncated=3), T0))
    assert body(outcome, "opened") == {
        "policy": "payments",
        "severity": "error",
        "reason": "opened",
        "cause": "threshold",
        "service": "checkout",
        "rule": "checkout-failing",
        "title": "5xx rate 8.2%",
        "source": "am",
        "fingerprint": "f1",
        "start_at": 1,
        "why": {"rules": "r1"},
    }
    assert next(e.person for e in outcome.effects if isinstance(e, Record)) == "nagios"
    assert outcome.incident.truncated == 3


def test_a_track_waits_until_its_severity_is_reached():
    """A warning does not write to the stakeholders, and no deadline runs for them."""
    incident = opened(WARNING)
    assert state_of(incident, "stakeholder") is TrackState.WAITING
    assert timers(incident, "stakeholder") == []


@pytest.mark.parametrize(("severity", "paged"), [(INFO, ["ana"]), (WARNING, ["ana"]), (ERROR, ["ana", "vp"])])
def test_a_severity_that_no_track_wants_still_pages_the_first_track(severity, paged):
    """A policy whose every track waits for worse must not swallow the incident: its first track starts."""
    technical, stakeholder = PAYMENTS.tracks
    picky = replace(PAYMENTS, hash="picky", tracks=(replace(technical, when=ERROR), replace(stakeholder, when=ERROR)))
    outcome = run(None, (fired(severity=severity, policies=(picky,)), T0), world=under(picky))
    assert list(dict.fromkeys(person for _, person, _ in notices(outcome))) == paged
    assert violations(outcome.incident) == ()


def test_an_incident_raised_by_hand_counts_no_alerts():
    """The Andon cord pages like an alert, is spoken for by its caller, and has nothing that could settle."""
    outcome = run(None, (fired(cause=Cause.RAISED, actor="cy", via=Via.CLI), T0))
    assert (outcome.incident.alerts, outcome.incident.firing) == (0, (0, 0, 0, 0))
    assert notices(outcome)[0] == ("page", "ana", "chat")
    first = outcome.effects[0]
    assert (first.person, first.via) == ("cy", Via.CLI)


def test_two_policies_give_two_independent_ladders_and_their_clock():
    """A breach runs the service's tracks and the legal one, which counts its 72 hours from the opening."""
    incident = opened(**BREACH)
    assert [track.name for track in incident.tracks] == ["technical", "stakeholder", "compliance"]
    assert timers(incident, "compliance") == [
        ("tier_deadline", 1800, ""),
        ("statutory", 86400, "gdpr"),
        ("statutory", 259200, "gdpr"),
    ]
    assert incident.confidential


def test_tracks_of_the_same_name_are_told_apart_and_the_same_policy_counts_once():
    """A second policy's track carries its policy's name; a policy named twice runs once."""
    again = replace(PAYMENTS, name="again", hash="again-1", tracks=PAYMENTS.tracks[:1])
    world = under(again)
    incident = opened(policies=(PAYMENTS, again, again), world=world)
    assert [track.name for track in incident.tracks] == ["technical", "stakeholder", "again:technical"]
    assert incident.track("again:technical").pages[0].person == "ana"


@pytest.mark.parametrize(
    ("start_at", "tier_number", "people"),
    [(1, 1, ["ana"]), (2, 2, ["bo"]), (3, 3, ["bo", "cy"]), (9, 3, ["bo", "cy"]), (0, 3, ["ana", "bo", "cy"])],
    ids=["first", "second", "third", "past the end is the last", "all at once"],
)
def test_an_exception_starts_where_its_rule_says(start_at, tier_number, people):
    """`start_at` names the first tier, 0 all of them; other policies start at their own tier 1."""
    incident = opened(**{**BREACH, "severity": ERROR, "start_at": start_at})
    technical = incident.main
    assert (technical.tier, [page.person for page in technical.pages]) == (tier_number, people)
    assert incident.track("compliance").tier == 1


@pytest.mark.parametrize(("start_at", "reason"), [(1, "opened"), (2, "exception"), (0, "exception")])
def test_only_a_skipped_tier_counts_as_escalated_by_exception(start_at, reason):
    """The figures count a climb where tiers were passed over, not where the ladder began at its foot."""
    policy = ladder(tier("ana"), tier("bo"))
    event = fired(cause=Cause.EXCEPTION, start_at=start_at, policies=(policy,))
    outcome = run(None, (event, T0), world=under(policy))
    assert body(outcome, "tier_entered")["reason"] == reason


def test_a_severity_may_skip_tiers():
    """`skip_to` of the severity moves the start unless the rule itself says where to begin; it is no escalation."""
    policy = ladder(tier("ana"), tier("bo"), tier("cy"), overrides={CRITICAL: SeverityOverride(skip_to=2)})
    world = under(policy)
    assert opened(CRITICAL, world, policies=(policy,)).main.tier == 2
    assert opened(ERROR, world, policies=(policy,)).main.tier == 1
    assert opened(CRITICAL, world, policies=(policy,), start_at=3).main.tier == 3
    outcome = run(None, (fired(severity=CRITICAL, policies=(policy,)), T0), world=world)
    assert body(outcome, "tier_entered")["reason"] == "opened"


# ------------------------------------------------------------------------------------------------------ joining


def test_a_second_alert_joins_without_paging_those_who_are_paged_already():
    """One incident, one page: what joins while the tier rings is written down."""
    outcome = run(opened(), (fired(fingerprint="f2", truncated=5), at(1)))
    assert (outcome.reason, notices(outcome), journal(outcome)) == (Reason.JOINED, [], ["joined"])
    incident = outcome.incident
    assert (incident.alerts, incident.firing, incident.truncated) == (2, (0, 0, 2, 0), 5)


def test_a_changed_alert_is_counted_once():
    """An alert that fires on with another severity moves in the count; it does not add to it."""
    outcome = run(opened(), (fired(severity=WARNING, previous=ERROR), at(1)))
    assert (outcome.incident.alerts, outcome.incident.firing) == (1, (0, 1, 0, 0))


def test_the_same_severity_told_again_is_no_news():
    """An update without a change of severity writes no entry and pages nobody, an owner included."""
    outcome = run(opened(), (fired(previous=ERROR), at(1)))
    assert (outcome.reason, outcome.effects) == (Reason.ALERT_UPDATED, ())
    held = run(opened(), (Ack(person="ana", via=WEB), at(1))).incident
    outcome = run(held, (fired(previous=ERROR), at(2)))
    assert (outcome.reason, outcome.effects, outcome.incident.main) == (Reason.ALERT_UPDATED, (), held.main)


def test_a_falling_severity_is_a_note_and_shortens_no_ack():
    """What got better leaves the owner, the hold and the worst severity as they are."""
    held = run(opened(), (Ack(person="ana", via=WEB), at(1))).incident
    outcome = run(held, (fired(severity=WARNING, previous=ERROR), at(2)))
    assert (outcome.reason, journal(outcome), notices(outcome)) == (Reason.SEVERITY_FELL, ["severity_fell"], [])
    assert outcome.incident.severity is ERROR
    assert outcome.incident.timers == held.timers


def test_a_new_alert_in_an_acked_incident_pages_its_owner_again():
    """The owner is asked at once, and if they are asleep the ladder goes on from where they stood."""
    held = run(opened(), (Ack(person="ana", via=WEB, track="technical"), at(1))).incident
    outcome = run(held, (fired(fingerprint="f2"), at(5)))
    assert outcome.reason is Reason.NEW_ALERT_AFTER_ACK
    assert [n for n in notices(outcome) if n[0] == "page"] == [("page", "ana", "chat"), ("page", "ana", "sms")]
    assert journal(outcome) == ["joined", "tier_repaged"]
    assert (outcome.incident.state, outcome.incident.acknowledged_by) == (State.OPEN, "")
    assert pass_time(outcome.incident, at(21)).main.tier == 2


def test_a_rule_may_leave_the_owner_in_peace_when_alerts_join():
    """With `repage` off a joining alert is written down and the ack stays."""
    held = run(opened(), (Ack(person="ana", via=WEB), at(1))).incident
    outcome = run(held, (fired(fingerprint="f2", repage=False), at(5)))
    assert (outcome.reason, notices(outcome)) == (Reason.JOINED, [])
    assert outcome.incident.main == held.main


def test_a_new_alert_pages_the_tier_when_the_owner_cannot_be_reached_any_more():
    """An owner who left is not paged in vain."""
    held = run(opened(), (Ack(person="ana", via=WEB, track="technical"), at(1))).incident
    outcome = run(held, (fired(fingerprint="f2"), at(5)), world=without("ana"))
    assert [page.person for page in outcome.incident.main.pages] == ["bo"]


# ----------------------------------------------------------------------------------------------------- worsening


def test_a_worse_severity_pages_the_owner_of_an_ack_and_starts_what_waited_for_it():
    """An ack of a warning is no ack of an error: its owner is paged, and the stakeholders hear of it."""
    held = run(opened(WARNING), (Ack(person="ana", via=WEB), at(1))).incident
    outcome = run(held, (fired(severity=ERROR, previous=WARNING, title="worse", summary="much"), at(5)))
    assert outcome.reason is Reason.SEVERITY_RAISED
    assert [person for kind, person, _ in notices(outcome) if kind == "page"] == ["vp", "ana", "ana"]
    incident = outcome.incident
    assert (incident.severity, incident.opened_severity) == (ERROR, WARNING)
    assert (incident.title, incident.summary, incident.state) == ("worse", "much", State.OPEN)
    raised = body(outcome, "severity_raised")
    assert (raised["from"], raised["to"], raised["severity"]) == ("warning", "error", "warning")


def test_a_worse_severity_pages_a_climbing_tier_again_without_adding_time():
    """Critical shortens the window; nobody gains time by getting worse."""
    incident = opened(ERROR)
    early = run(incident, (fired(severity=CRITICAL, previous=ERROR), at(2))).incident
    assert [t for t in timers(early, "technical") if t[0] == "tier_deadline"] == [("tier_deadline", 420, "")]
    late = run(incident, (fired(severity=CRITICAL, previous=ERROR), at(14)))
    assert [t for t in timers(late.incident, "technical") if t[0] == "tier_deadline"] == [("tier_deadline", 900, "")]
    technical = [e for e in late.effects if isinstance(e, Notify) and e.track == "technical"]
    assert [(n.kind, n.channel) for n in technical] == [("page", "sms"), ("page", "call"), ("update", "chat")]


def test_paging_again_takes_back_what_was_not_sent_yet():
    """A provider that was slow does not deliver the old page beside the new one."""
    outcome = run(opened(ERROR), (fired(severity=CRITICAL, previous=ERROR), at(2)))
    assert Withdraw(track="technical") in outcome.effects
    first_page = next(e for e in outcome.effects if isinstance(e, Notify))
    assert outcome.effects.index(Withdraw(track="technical")) < outcome.effects.index(first_page)


def test_a_worse_severity_that_finds_its_tier_empty_gives_the_next_one_its_whole_window():
    """What was left of the old tier's window is not the new tier's."""
    policy = ladder(tier("ana", within=600), tier("bo", within=900))
    world = under(policy)
    incident = opened(WARNING, world, policies=(policy,))
    gone = without("ana", world=world)
    after = run(incident, (fired(severity=ERROR, previous=WARNING, policies=(policy,)), at(9)), world=gone).incident
    assert (after.main.tier, timers(after, "main")) == (2, [("tier_deadline", 540 + 900, "")])


def test_a_worse_severity_is_heard_at_the_last_resort_too():
    """Half an hour is too long to wait for the next beat when a warning turned critical."""
    policy = ladder(tier("ana", within=60))
    world = under(policy)
    resort = pass_time(opened(WARNING, world, policies=(policy,)), at(1), world)
    assert resort.main.state is TrackState.LAST_RESORT
    outcome = run(resort, (fired(severity=CRITICAL, previous=WARNING, policies=(policy,)), at(5)), world=world)
    assert [n for n in notices(outcome) if n[0] != "update"] == [
        ("last_resort", "cto", "sms"),
        ("last_resort", "cto", "call"),
    ]
    assert body(outcome, "last_resort")["reason"] == "severity_raised"
    assert ("last_resort", 300 + 1800, "") in timers(outcome.incident, "main")


# ---------------------------------------------------------------------------------------------------- recovering


def test_one_of_several_alerts_settling_is_written_down_only():
    """While something fires, everything goes on."""
    incident = run(opened(), (fired(fingerprint="f2", severity=WARNING), at(1))).incident
    outcome = run(incident, (settled(), at(2)))
    assert (outcome.reason, journal(outcome), notices(outcome)) == (Reason.ALERT_SETTLED, ["settled"], [])
    assert body(outcome, "settled")["still_firing"] == 1


def test_an_alert_that_its_rule_cleared_is_written_down_with_the_reason():
    """It fires on for its sender, and no longer for us: the journal says what the rule saw."""
    event = AlertSettled(fingerprint="f1", severity=ERROR, why="failure rate below 1.5% for 3m")
    outcome = run(opened(), (event, at(9)))
    assert body(outcome, "cleared")["why"] == "failure rate below 1.5% for 3m"
    assert outcome.reason is Reason.RECOVERED


def test_an_alert_that_is_muted_ends_its_incident_as_such():
    """It fires on and pages nobody: nothing has recovered, and the journal and the incident say who muted it."""
    event = AlertSettled(fingerprint="f1", severity=ERROR, muted_by="silence 7 (deploy, by ana)")
    outcome = run(opened(), (event, at(9)))
    incident = outcome.incident
    assert (outcome.reason, incident.recovered_at, incident.muted_by) == (Reason.SUPPRESSED, None, event.muted_by)
    assert body(outcome, "suppressed")["why"] == event.muted_by
    assert (body(outcome, "resolved")["outcome"], body(outcome, "resolved")["muted_by"]) == (
        "suppressed",
        event.muted_by,
    )


def test_one_muted_alert_of_two_ends_nothing():
    """The other keeps the incident open, and when its sender resolves it that is a recovery."""
    muted = AlertSettled(fingerprint="f1", severity=ERROR, muted_by="silence 7")
    incident = run(opened(), (fired(fingerprint="f2", severity=ERROR), at(1)), (muted, at(2))).incident
    assert (incident.muted_by, sum(incident.firing)) == ("", 1)
    outcome = run(incident, (settled(fingerprint="f2"), at(3)))
    assert (outcome.reason, outcome.incident.muted_by) == (Reason.RECOVERED, "")
    assert "muted_by" not in body(outcome, "resolved")


def test_a_resolve_that_comes_twice_takes_no_other_alert_with_it():
    """Counts never fall below zero."""
    incident = run(opened(), (fired(fingerprint="f2", severity=WARNING), at(1)), (settled(), at(2))).incident
    outcome = run(incident, (settled(), at(3)))
    assert (outcome.reason, outcome.incident.firing) == (Reason.ALERT_SETTLED, (0, 1, 0, 0))


def test_recovery_leaves_what_needs_a_decision_and_ends_the_rest():
    """The technical ladder stops, its people are stood down, and the legal one climbs on until a human decides."""
    outcome = run(opened(**BREACH), (settled(CRITICAL), at(4)))
    incident = outcome.incident
    assert (outcome.reason, incident.state) == (Reason.RECOVERED_COMPLIANCE_OPEN, State.OPEN)
    assert [track.state.value for track in incident.tracks] == ["ended", "ended", "running"]
    assert {timer.track for timer in incident.timers} == {"compliance"}
    assert ("stand_down", "ana", "sms") in notices(outcome)
    assert Withdraw(track="technical") in outcome.effects
    assert Withdraw(track="compliance") not in outcome.effects
    assert pass_time(incident, at(31)).track("compliance").tier == 2


def test_a_policy_may_keep_its_incidents_until_a_human_closes_them():
    """`never: [auto_resolve]` leaves a technical ladder climbing after the recovery, and needs no decision."""
    policy = replace(ladder(tier("ana")), never=frozenset({"auto_resolve"}))
    world = under(policy)
    incident = run(opened(world=world, policies=(policy,)), (settled(), at(1)), world=world).incident
    assert incident.main.state is TrackState.RUNNING
    assert run(incident, (Resolve(person="cy", via=WEB), at(2)), world=world).reason is Reason.RESOLVED


def test_a_compliance_track_that_never_started_keeps_nothing_open():
    """A track that waits for worse has no clock running, and the recovery closes the incident."""
    picky = replace(LEGAL, hash="picky", tracks=(replace(LEGAL.tracks[0], when=CRITICAL),))
    world = under(picky)
    incident = opened(ERROR, world, policies=(PAYMENTS, picky))
    assert timers(incident, "compliance") == []
    assert run(incident, (settled(), at(1)), world=world).reason is Reason.RECOVERED


def test_a_compliance_track_that_starts_late_counts_from_the_opening():
    """Awareness began with the incident; what was due before the track started is due at once, in one notice."""
    picky = replace(LEGAL, hash="picky", tracks=(replace(LEGAL.tracks[0], when=CRITICAL),))
    world = under(picky)
    incident = run(opened(ERROR, world, policies=(PAYMENTS, picky)), (Ack(person="ana", via=WEB), at(1))).incident
    after = run(incident, (fired(severity=CRITICAL, previous=ERROR), at(60 * 25)), world=world).incident
    statutory = [t for t in timers(after, "compliance") if t[0] == "statutory"]
    assert statutory == [("statutory", 25 * 3600, "gdpr"), ("statutory", 72 * 3600, "gdpr")]


def test_firing_again_after_the_recovery_starts_the_ended_ladders_anew():
    """While compliance keeps the incident open, a new alert pages tier 1 as if it had just opened."""
    incident = run(opened(**BREACH), (Ack(person="ana", via=WEB, track="technical"), at(1)), (settled(CRITICAL), at(4)))
    assert incident.incident.state is State.ACKNOWLEDGED
    outcome = run(incident.incident, (fired(severity=CRITICAL, policies=(PAYMENTS, LEGAL)), at(9)))
    assert (outcome.incident.recovered_at, outcome.incident.state) == (None, State.OPEN)
    assert [track.state.value for track in outcome.incident.tracks] == ["running", "running", "running"]
    assert (outcome.incident.main.tier, outcome.incident.main.cycle) == (1, 0)
    assert ("page", "ana", "sms") in notices(outcome)
    assert ("statutory", 86400, "gdpr") in timers(outcome.incident, "compliance")


def test_firing_again_and_worse_pages_each_person_once():
    """The new severity starts the ended ladders; they are not paged for the start and again for the rise."""
    incident = run(opened(**{**BREACH, "severity": ERROR}), (settled(), at(4))).incident
    outcome = run(incident, (fired(severity=CRITICAL, policies=(PAYMENTS, LEGAL)), at(9)))
    assert outcome.reason is Reason.SEVERITY_RAISED
    assert [n for n in notices(outcome) if n[1] == "ana"] == [("page", "ana", "sms"), ("page", "ana", "call")]
