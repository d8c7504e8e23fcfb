"""Rebase: onto the rules in force, no deadline later, no ack lost, no track lost, nobody paged twice."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from escalatord.core.alert import Severity
from escalatord.core.difference import policy_changes
from escalatord.core.escalation import step
from escalatord.core.events import (
    Ack,
    AlertSettled,
    Delivery,
    Mitigated,
    Note,
    Notify,
    PageNext,
    Rebase,
    Resolve,
    Snooze,
    TimersDue,
)
from escalatord.core.incident import Attempt, Reason, TimerKind, TrackState, Via
from escalatord.core.invariants import violations
from escalatord.core.policy import (
    Compliance,
    ContactPlan,
    LastResort,
    Milestones,
    OfficeHours,
    PlanStep,
    SeverityOverride,
    TrackKind,
    TrackPolicy,
)
from tests.fakes.world import (
    LEGAL,
    MAIL,
    PAYMENTS,
    T0,
    URGENT,
    USUAL,
    at,
    at_work,
    body,
    fired,
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

WEB = Via.WEB
DUE = TimersDue()
ERROR, CRITICAL = Severity.ERROR, Severity.CRITICAL
OLD = ladder(tier("ana", within=600), tier("bo", within=600), hash="old")


def newer(policy=OLD, **changes):
    """Return the policy as it is after an edit."""
    return replace(policy, hash=f"{policy.hash}-edited", **changes)


def tiers(*those, of=OLD, **changes):
    """Return the policy with other tiers in its first track."""
    return newer(of, tracks=(replace(of.tracks[0], tiers=those, **changes), *of.tracks[1:]))


def world_of(*policies):
    """Return the world that knows all these policies; Monday at nine the office opens."""
    world = at_work(OLD)
    for policy in policies:
        world = under(policy, world)
    return world


def rebased(incident, now, *policies, world=None):
    """Return the outcome of moving an incident onto these policies."""
    word = Rebase(person="admin", via=WEB, policies=policies)
    return run(incident, (word, now), world=world or world_of(*policies))


def begun(policy=OLD, **changes):
    """Return an incident of a policy at T0."""
    return run(None, (fired(policies=(policy,), **changes), T0), world=world_of(policy)).incident


RUNNING = begun()
HELD = run(RUNNING, (Ack(person="ana", via=WEB), at(1)), world=world_of()).incident


def test_what_follows_the_rules_in_force_is_left_alone():
    """The same policies, or none of its own among them: nothing changes, and a closed incident is over."""
    assert rebased(RUNNING, at(1), OLD).reason is Reason.SAME_POLICY
    assert rebased(RUNNING, at(1), PAYMENTS).reason is Reason.SAME_POLICY
    closed = run(RUNNING, (Resolve(person="ana", via=WEB), at(1)), world=world_of()).incident
    assert rebased(closed, at(2), newer()).reason is Reason.ALREADY_RESOLVED


def test_the_journal_says_from_what_to_what_and_what_changed():
    """Both hashes, each difference in words, who did it; and nobody is paged."""
    new = tiers(tier("ana", within=300), tier("bo", within=600), repeat=2)
    outcome = rebased(RUNNING, at(1), new)
    told = body(outcome, "rebased")
    assert (outcome.reason, told["person"], told["via"]) == (Reason.REBASED, "admin", "web")
    assert (told["from"], told["to"]) == ({"old": "plain"}, {"old-edited": "plain"})
    assert told["changes"] == ["policy plain · main · tier 1 · within: 10m → 5m", "policy plain · main · repeat: 0 → 2"]
    assert (told["kept"], told["started"], notices(outcome)) == ({}, [], [])
    assert {track.policy for track in outcome.incident.tracks} == {"old-edited"}


def test_only_words_that_mean_something_are_told():
    """A difference of two policies has the words of `diff`; of a contact plan its name."""
    assert policy_changes(OLD, replace(OLD, hash="x")) == ()
    (change,) = policy_changes(OLD, replace(OLD, last_resort=replace(OLD.last_resort, every_seconds=60.0)))
    assert change == ("policy plain · last resort · every", "30m", "1m")


# ------------------------------------------------------------------------------------------------------ where it is


@pytest.mark.parametrize(
    ("new", "is_at"),
    [
        (tiers(tier("vp"), tier("ana"), tier("bo")), 3),
        (tiers(tier("cy"), tier("vp")), 2),
        (tiers(tier("cy")), 1),
    ],
    ids=["the tier of its name", "that of its number", "the last one"],
)
def test_the_tier_it_goes_on_from(new, is_at):
    """By name, else by number, else the last; whoever is being paged there still is."""
    incident = pass_time(RUNNING, at(10), world_of())
    main = rebased(incident, at(11), new).incident.main
    assert (main.tier, main.pages[0].person, main.pages[0].tier, main.state) == (is_at, "bo", is_at, TrackState.RUNNING)
    assert main.top >= is_at


def test_a_shorter_window_ends_earlier_a_longer_one_does_not_end_later():
    """Counted from the entry; when it is over by now, the next tier is entered now."""
    for within, deadline in ((300, 300), (60, 120), (6000, 600)):
        outcome = rebased(RUNNING, at(2), tiers(tier("ana", within=within), tier("bo")))
        assert ("tier_deadline", float(deadline), "") in timers(outcome.incident, "main")
        assert violations(outcome.incident) == ()


def test_reminders_are_the_new_ones():
    """Those that lie ahead, inside the window; none that has passed comes back."""
    old = ladder(tier("ana", remind_seconds=(240,)), hash="reminds")
    new = tiers(tier("ana", remind_seconds=(60, 180, 9000)), of=old)
    outcome = rebased(begun(old), at(2), new, world=world_of(old, new))
    assert [t for t in timers(outcome.incident, "main") if t[0] == "reminder"] == [("reminder", 180.0, "")]


def test_an_ack_stays_an_ack():
    """A shorter hold ends earlier by the difference, also an extended one; a longer one changes nothing."""
    for seconds, ends in ((3600.0, 3660.0), (30.0, 120.0), (10**6, 86460.0)):
        outcome = rebased(HELD, at(2), newer(ack_hold_seconds=dict.fromkeys(Severity, seconds)))
        assert (outcome.incident.main.owner, outcome.incident.state.value) == ("ana", "acknowledged")
        assert ("ack_question", ends, "") in timers(outcome.incident, "main")
    snoozed = run(RUNNING, (Snooze(person="ana", via=WEB, seconds=7200), at(1)), world=world_of()).incident
    outcome = rebased(snoozed, at(2), newer(ack_hold_seconds=dict.fromkeys(Severity, 60.0)))
    assert timers(outcome.incident, "main") == [("snooze_end", 7260.0, "")]


def test_the_last_resort_comes_no_later():
    """A longer beat waits for the next one; a shorter one begins now."""
    incident = pass_time(RUNNING, at(20), world_of())
    assert incident.main.state is TrackState.LAST_RESORT
    for every, due in ((60.0, 21 * 60 + 60.0), (10**5, 50 * 60.0)):
        new = newer(last_resort=LastResort(page=(person("vp"),), plan=URGENT, every_seconds=every))
        after = rebased(incident, at(21), new).incident
        assert ("last_resort", due, "") in timers(after, "main")
        assert after.main.tier == 2


# ---------------------------------------------------------------------------------------------------- contact plans


def test_another_plan_sends_what_is_missing_and_nothing_twice():
    """What went out by a channel stands for the step by it; the rest follows in its time, the soonest of both plans."""
    old = ladder(tier("ana", plan=USUAL), hash="usual")  # chat, sms, call after 3m
    plan = ContactPlan(
        name="n", steps=(PlanStep(by="sms"), PlanStep(by="mail"), PlanStep(by="call", after_seconds=900))
    )
    new = tiers(tier("ana", plan=plan), of=old)
    world = world_of(old, new)
    incident = begun(old)
    chat, sms, _ = references(incident, "main", "ana")
    incident = run(incident, (Delivery(reference=sms, status=Attempt.ACCEPTED), at(0, 5)), world=world).incident
    outcome = rebased(incident, at(1), new, world=world)
    assert references(outcome.incident, "main", "ana") == [sms, "", "", chat]
    wanted = [("plan_step", 60.0, "ana/1"), ("receipt_overdue", 65.0, "ana/0"), ("plan_step", 180.0, "ana/2")]
    assert [t for t in timers(outcome.incident, "main") if t[0] != "tier_deadline"] == wanted
    now = run(outcome.incident, (DUE, at(1)), world=world)
    assert notices(now) == [("page", "ana", "mail")]
    failed = run(now.incident, (Delivery(reference=chat, status=Attempt.FAILED_PERMANENT), at(2)), world=world)
    assert violations(failed.incident) == ()
    assert run(now.incident, (DUE, at(3)), world=world).reason is not Reason.NOT_DUE


def test_each_of_several_people_is_reached_by_the_new_plan():
    """What one of them was sent says nothing of the other; each deadline stays its owner's."""
    old = ladder(tier("ana", "bo", plan=USUAL), hash="two")
    plan = ContactPlan(name="n", steps=(PlanStep(by="call", after_seconds=300), PlanStep(by="sms")))
    new = tiers(tier("ana", "bo", plan=plan), of=old)
    world = world_of(old, new)
    incident = begun(old)
    for sms in [references(incident, "main", who)[1] for who in ("ana", "bo")]:
        incident = run(incident, (Delivery(reference=sms, status=Attempt.ACCEPTED), T0), world=world).incident
    after = rebased(incident, at(0, 30), new, world=world).incident
    assert [t for t in timers(after, "main") if t[0] != "tier_deadline"] == [
        ("receipt_overdue", 60.0, "ana/1"),
        ("receipt_overdue", 60.0, "bo/1"),
        ("plan_step", 180.0, "ana/0"),
        ("plan_step", 180.0, "bo/0"),
    ]


def test_the_same_steps_under_another_name_change_nothing():
    """A renamed plan leaves every deadline of the page as it is."""
    old = ladder(tier("ana", plan=USUAL), hash="usual")
    new = tiers(tier("ana", plan=replace(USUAL, name="other")), of=old)
    incident = begun(old)
    after = rebased(incident, at(1), new, world=world_of(old, new)).incident
    assert (after.timers, after.main.pages) == (incident.timers, incident.main.pages)


def test_the_plan_of_a_last_resort_is_followed_too():
    """Who is paged at the last resort is reached by what its plan has now."""
    old = replace(OLD, hash="by-mail", last_resort=replace(OLD.last_resort, plan=MAIL))
    incident = pass_time(begun(old), at(20), world_of(old))
    new = newer(last_resort=replace(OLD.last_resort, plan=URGENT))
    outcome = rebased(incident, at(21), new, world=world_of(old, new))
    steps = [t for t in timers(outcome.incident, "main") if t[0] == "plan_step"]
    assert [subject for _, _, subject in steps] == ["cto/0", "cto/1", "cto/2"]
    assert violations(outcome.incident) == ()


# ------------------------------------------------------------------------------------------------- tracks come and go


def test_a_track_that_is_gone_goes_on_as_it_was():
    """Its old policy stays pinned for it alone, and the journal says why."""
    old = replace(PAYMENTS, hash="payments-old")
    incident = run(None, (fired(policies=(old,)), T0), world=world_of(old)).incident
    new = replace(PAYMENTS, hash="payments-new", tracks=PAYMENTS.tracks[:1])
    outcome = rebased(incident, at(1), new, world=world_of(old, new))
    pins = {track.name: track.policy for track in outcome.incident.tracks}
    assert pins == {"technical": "payments-new", "stakeholder": "payments-old"}
    assert body(outcome, "rebased")["kept"] == {"stakeholder": "its policy has no such track any more"}
    kinds = {t[0] for t in timers(outcome.incident, "stakeholder")}
    assert "tier_deadline" in kinds


def test_a_policy_that_is_gone_is_followed_to_the_end():
    """One of two policies left the rules: its tracks stay, the others move."""
    incident = opened(policies=(PAYMENTS, LEGAL))
    new = replace(PAYMENTS, hash="payments-2")
    outcome = rebased(incident, at(1), new, world=under(new))
    assert {t.policy for t in outcome.incident.tracks} == {"payments-2", "legal-1"}
    assert body(outcome, "rebased")["kept"] == {"compliance": "its policy is gone"}


def test_a_new_track_starts_if_it_is_bad_enough():
    """A stakeholder ladder added today pages its people; one for critical incidents waits."""
    ladders = (
        TrackPolicy(name="stakeholder", kind=TrackKind.STAKEHOLDER, tiers=(tier("vp"),)),
        TrackPolicy(name="board", kind=TrackKind.STAKEHOLDER, tiers=(tier("cto"),), when=CRITICAL),
    )
    outcome = rebased(HELD, at(2), newer(tracks=(*OLD.tracks, *ladders)))
    assert notices(outcome) == [("page", "vp", "mail")]
    assert [(t.name, t.state) for t in outcome.incident.tracks[1:]] == [
        ("stakeholder", TrackState.RUNNING),
        ("board", TrackState.WAITING),
    ]
    assert body(outcome, "rebased")["started"] == ["stakeholder"]
    assert outcome.incident.main.owner == "ana"


def test_a_track_whose_severity_is_reached_now_starts():
    """What waited for critical waits for error now, and it is one."""
    waits = TrackPolicy(name="board", kind=TrackKind.STAKEHOLDER, tiers=(tier("cto"),), when=CRITICAL)
    old = replace(OLD, hash="waits", tracks=(*OLD.tracks, waits))
    new = newer(old, tracks=(*OLD.tracks, replace(waits, when=ERROR)))
    outcome = rebased(begun(old), at(1), new, world=world_of(old, new))
    assert notices(outcome) == [("page", "cto", "mail")]


def test_a_track_that_has_ended_stays_ended():
    """While compliance keeps the incident open, what is over is not begun again by a rebase."""
    incident = run(None, (fired(policies=(OLD, LEGAL)), T0), world=world_of()).incident
    incident = run(incident, (AlertSettled(fingerprint="f1", severity=ERROR), at(1)), world=world_of()).incident
    outcome = rebased(incident, at(2), newer(), LEGAL)
    assert (outcome.incident.main.state, notices(outcome)) == (TrackState.ENDED, [])
    assert violations(outcome.incident) == ()


def test_a_policy_that_is_confidential_now_makes_it_so():
    """What must not leave the house does not from now on; it is never taken back."""
    assert rebased(RUNNING, at(1), newer(confidential=True)).incident.confidential is True
    secret = begun(replace(OLD, hash="secret", confidential=True))
    world = world_of(replace(OLD, hash="secret", confidential=True), newer())
    assert rebased(secret, at(1), newer(), world=world).incident.confidential is True


# -------------------------------------------------------------------------------------------------------- the law's


def clock(**changes):
    """Return the compliance policy with another clock."""
    return replace(LEGAL, hash="legal-2", compliance=replace(LEGAL.compliance, **changes))


@pytest.mark.parametrize(
    ("new", "why"),
    [
        (clock(due_seconds=100 * 3600), "its statutory clock would end later"),
        (clock(regime="nis2"), "its statutory clock would be another"),
        (replace(LEGAL, hash="legal-2", compliance=None), "its statutory clock would be another"),
        (
            replace(LEGAL, hash="legal-2", tracks=(replace(LEGAL.tracks[0], kind=TrackKind.TECHNICAL),)),
            "it would become technical",
        ),
    ],
    ids=["later", "another law", "none", "no compliance"],
)
def test_a_legal_clock_is_never_made_later(new, why):
    """The track stays pinned, its clock as it was."""
    incident = opened(policies=(PAYMENTS, LEGAL))
    assert rebased(incident, at(1), new, PAYMENTS, world=under(new)).reason is Reason.SAME_POLICY
    other = replace(PAYMENTS, hash="payments-2")
    outcome = rebased(incident, at(1), new, other, world=under(new, under(other)))
    assert body(outcome, "rebased")["kept"] == {"compliance": why}
    assert timers(outcome.incident, "compliance") == timers(incident, "compliance")
    assert outcome.incident.track("compliance").policy == LEGAL.hash


def test_a_legal_clock_that_ends_sooner_counts():
    """The new end and the new reminders; what lies behind the end is dropped, and a period that is over is told now."""
    incident = opened(policies=(PAYMENTS, LEGAL))
    new = clock(due_seconds=48 * 3600, remind_seconds=(12 * 3600, 60 * 3600))
    after = rebased(incident, at(1), new, PAYMENTS, world=under(new)).incident
    hours = [seconds / 3600 for kind, seconds, _ in timers(after, "compliance") if kind == "statutory"]
    assert hours == [12, 24, 48]
    over = clock(due_seconds=60, remind_seconds=())
    after = rebased(incident, at(5), over, PAYMENTS, world=under(over)).incident
    assert [seconds for kind, seconds, _ in timers(after, "compliance") if kind == "statutory"] == [300.0]
    assert Compliance(regime="gdpr", clock_from="awareness", due_seconds=1).remind_seconds == ()


# ------------------------------------------------------------------------------------- milestones and office hours


def test_milestones_come_with_the_rules():
    """New ones count from the start of the track, those that are over are due now; updates from now on."""
    given = Milestones(mitigate_by_seconds=7200, update_every_seconds=1800, resolve_by_seconds=60)
    new = newer(milestones=given)
    after = rebased(HELD, at(2), new).incident
    assert [t for t in timers(after, "main") if t[0] != "ack_question"] == [
        ("resolve_by", 120.0, ""),
        ("update_every", 1920.0, ""),
        ("mitigate_by", 7200.0, ""),
    ]
    assert [track.name for track in after.tracks] == ["main", "past due:main"]
    due = run(after, (DUE, at(2)), world=world_of(new))
    assert due.incident.track("past due:main").state is TrackState.LAST_RESORT
    mitigated = run(HELD, (Mitigated(person="ana", via=WEB), at(1)), world=world_of()).incident
    assert "mitigate_by" not in {t[0] for t in timers(rebased(mitigated, at(2), new).incident, "main")}


def test_milestones_only_come_sooner():
    """A longer time leaves the old one, a shorter one counts; one that has passed does not come back, nor goes one."""
    old = replace(OLD, hash="m", milestones=Milestones(mitigate_by_seconds=3600, update_every_seconds=1800))
    held = run(begun(old), (Ack(person="ana", via=WEB), T0), world=world_of(old)).incident
    for milestones, wanted in (
        (
            Milestones(mitigate_by_seconds=7200, update_every_seconds=3600),
            {"mitigate_by": 3600.0, "update_every": 1800.0},
        ),
        (Milestones(mitigate_by_seconds=1800, update_every_seconds=60), {"mitigate_by": 1800.0, "update_every": 120.0}),
        (Milestones(resolve_by_seconds=600), {"mitigate_by": 3600.0, "update_every": 1800.0, "resolve_by": 600.0}),
        (None, {"mitigate_by": 3600.0, "update_every": 1800.0}),
    ):
        new = newer(old, milestones=milestones)
        after = rebased(held, at(1), new, world=world_of(old, new)).incident
        assert {t[0]: t[1] for t in timers(after, "main") if t[0] != "ack_question"} == wanted
        assert violations(pass_time(after, at(200), world_of(old, new))) == ()
    passed = pass_time(held, at(60), world_of(old))
    new = newer(old, milestones=Milestones(mitigate_by_seconds=60))
    after = rebased(passed, at(61), new, world=world_of(old, new)).incident
    assert "mitigate_by" not in {t[0] for t in timers(after, "main")}


def test_an_incident_of_an_older_version_begins_to_count_at_its_opening():
    """Its tracks do not know when they started."""
    plain = replace(RUNNING, tracks=(replace(RUNNING.main, started_at=None),))
    after = rebased(plain, at(2), newer(milestones=Milestones(mitigate_by_seconds=7200))).incident
    assert ("mitigate_by", 7200.0, "") in timers(after, "main")


OFFICE_HOURS = OfficeHours(calendar="work", unless=CRITICAL)


def test_what_is_held_goes_out_when_the_new_rules_hold_nothing():
    """A policy without hours pages now, at the tier that was waited for."""
    old = replace(OLD, hash="office", hours=OFFICE_HOURS)
    new = newer(old, hours=None, milestones=Milestones(mitigate_by_seconds=60))
    outcome = rebased(begun(old), at(5), new, world=world_of(old, new))
    assert notices(outcome) == [("page", "ana", "mail")]
    assert (outcome.incident.main.held_seconds, outcome.incident.main.started_at) == (300.0, at(5))
    assert ("mitigate_by", 360.0, "") in timers(outcome.incident, "main")


def test_what_is_held_is_held_no_longer_than_it_was():
    """Still held by the new rules: the same start, at the tier of that name."""
    old = replace(OLD, hash="office", hours=OFFICE_HOURS)
    new = newer(old, tracks=(replace(OLD.tracks[0], tiers=(tier("vp"), *OLD.tracks[0].tiers)),))
    after = rebased(begun(old), at(5), new, world=world_of(old, new)).incident
    ((kind, _, subject),) = timers(after, "main")
    assert (kind, subject) == ("hours_start", "2/opened")
    assert after.next_due_at == begun(old).next_due_at
    beyond = run(begun(old), (PageNext(person="cy", via=WEB), T0), world=world_of(old)).incident
    beyond = run(beyond, (PageNext(person="cy", via=WEB), T0), world=world_of(old)).incident
    beyond = run(beyond, (Note(person="cy", via=WEB, text="x"), at(1)), world=world_of(old)).incident
    assert violations(rebased(beyond, at(2), new, world=world_of(old, new)).incident) == ()


def test_a_tier_beyond_the_last_stays_beyond():
    """Who waits for what follows the last tier waits for the last resort, however long the ladder is now."""
    old = replace(OLD, hash="office", hours=OFFICE_HOURS)
    incident = begun(old)
    timer = replace(incident.timers[0], subject="3/passed_on")
    new = newer(old, tracks=(replace(OLD.tracks[0], tiers=OLD.tracks[0].tiers[:1]),))
    after = rebased(replace(incident, timers=(timer,)), at(5), new, world=world_of(old, new)).incident
    assert [t.subject for t in after.timers] == ["3/passed_on"]
    paged = run(after, (DUE, after.next_due_at), world=world_of(old, new))
    assert paged.incident.main.state is TrackState.LAST_RESORT


# ------------------------------------------------------------------------------------------------------ properties

SECONDS = st.sampled_from([60.0, 300.0, 600.0, 900.0, 7200.0])
PLANS = st.sampled_from([MAIL, USUAL, URGENT])
RUNGS = st.builds(
    lambda who, within, plan, backed: tier(who, within=within, plan=plan, backup=(person("vp"),) * backed),
    st.sampled_from(["ana", "bo", "cy"]),
    SECONDS,
    PLANS,
    st.booleans(),
)
POLICIES = st.builds(
    lambda rungs, repeat, every, hold, override, extra: {
        "tracks": (
            TrackPolicy(name="main", kind=TrackKind.TECHNICAL, tiers=tuple(rungs), repeat=repeat),
            *(TrackPolicy(name="more", kind=TrackKind.STAKEHOLDER, tiers=tuple(rungs[:1])) for _ in range(extra[0])),
        ),
        "last_resort": LastResort(page=(person("cto"),), plan=URGENT, every_seconds=every),
        "ack_hold_seconds": dict.fromkeys(Severity, hold),
        "overrides": {ERROR: SeverityOverride(within_seconds=override)} if override else {},
        "milestones": extra[1],
        "hours": extra[2],
    },
    st.lists(RUNGS, min_size=1, max_size=4),
    st.integers(0, 2),
    SECONDS,
    SECONDS,
    st.none() | SECONDS,
    st.tuples(
        st.booleans(),
        st.none()
        | st.builds(
            Milestones,
            mitigate_by_seconds=st.none() | SECONDS,
            update_every_seconds=st.none() | SECONDS,
            resolve_by_seconds=st.none() | SECONDS,
        ),
        st.none() | st.just(OFFICE_HOURS),
    ),
)
WORDS = st.sampled_from(
    [
        Ack(person="ana", via=WEB),
        Ack(person="bo", via=WEB, take_over=True),
        Snooze(person="ana", via=WEB, seconds=900),
        PageNext(person="cy", via=WEB, track="main"),
        Mitigated(person="bo", via=WEB),
        fired(severity=CRITICAL, fingerprint="f2"),
        DUE,
    ]
)
KEPT = (
    TimerKind.TIER_DEADLINE,
    TimerKind.ACK_QUESTION,
    TimerKind.ACK_EXPIRY,
    TimerKind.SNOOZE_END,
    TimerKind.LAST_RESORT,
    TimerKind.STATUTORY,
    TimerKind.MITIGATE_BY,
    TimerKind.RESOLVE_BY,
    TimerKind.UPDATE_EVERY,
    TimerKind.HOURS_START,
)


@settings(max_examples=150, deadline=None)
@given(
    before=POLICIES,
    after=POLICIES,
    words=st.lists(st.tuples(WORDS, st.integers(0, 2000)), max_size=6),
    gone=st.sets(st.sampled_from(["ana", "bo", "cto"]), max_size=2),
    seconds=st.integers(0, 4000),
)
def test_whatever_the_rules_become_nothing_is_lost_or_later(before, after, words, gone, seconds):
    """Any incident onto any policy: each track keeps its state or rings, each deadline is there and no later."""
    old, new = ladder(hash="a", **before), ladder(hash="b", **after)
    world = without(*gone, world=world_of(old, new))
    now = T0
    incident = step(None, fired(policies=(old, LEGAL)), now, world).incident
    for word, wait in words:
        now += timedelta(seconds=wait)
        incident = step(incident, DUE, now, world).incident
        incident = step(incident, word, now, world).incident
    now += timedelta(seconds=seconds)
    outcome = step(incident, Rebase(person="x", via=WEB, policies=(new, LEGAL)), now, world)
    moved = outcome.incident
    assert violations(moved) == ()
    assert outcome == step(incident, Rebase(person="x", via=WEB, policies=(new, LEGAL)), now, world)
    for track in incident.tracks:
        now_is = moved.track(track.name)
        assert now_is is not None
        if track.state is TrackState.ACKNOWLEDGED:
            assert (now_is.state, now_is.owner) == (track.state, track.owner)
        elif track.state not in (TrackState.WAITING, TrackState.HELD):
            assert (now_is.state, now_is.epoch) == (track.state, track.epoch)
        if track.state is now_is.state and track.epoch == now_is.epoch:
            for timer in [t for t in incident.timers if t.track == track.name and t.kind in KEPT]:
                same = [t.at for t in moved.timers if (t.track, t.kind) == (timer.track, timer.kind)]
                assert same
                assert min(same) <= max(timer.at, now)
    paged_again = {(e.track, e.person) for e in outcome.effects if isinstance(e, Notify)}
    assert all(
        incident.track(name) is None or incident.track(name).state in (TrackState.WAITING, TrackState.HELD)
        for name, _ in paged_again
    )
    for _ in range(6):  # and the engine goes on with it
        if moved.next_due_at is None:
            break
        moved = step(moved, DUE, max(now, moved.next_due_at), world).incident
        assert violations(moved) == ()
