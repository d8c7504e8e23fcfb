"""Milestones: each escalates by itself, nobody's ack is taken away, and making up for it lets people sleep."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from escalatord.core.alert import Severity
from escalatord.core.escalation import step
from escalatord.core.events import (
    Ack,
    AlertSettled,
    Mitigated,
    Note,
    Notify,
    PageNext,
    Record,
    Resolve,
    Snooze,
    TimersDue,
    Unack,
)
from escalatord.core.forecast import ladder as forecast
from escalatord.core.incident import Reason, State, TimerKind, TrackState, Via
from escalatord.core.invariants import HOLDS, violations
from escalatord.core.milestones import is_past_due, past_due_name, spoken_of, watched, watched_track
from escalatord.core.policy import Milestones, TrackKind
from tests.fakes.world import (
    LEGAL,
    MAIL,
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

WEB = Via.WEB
DUE = TimersDue()
ALL = Milestones(mitigate_by_seconds=7200, update_every_seconds=1800, resolve_by_seconds=28800)
TIERS = (tier("ana", within=600), tier("bo", within=600), tier("cy", within=600))
BEYOND = "past due:main"


def policy(milestones=ALL, tiers=TIERS, **changes):
    """Return a ladder of ana, bo and cy, the cto its last resort, held to these milestones."""
    return ladder(*tiers, milestones=milestones, hash=f"m{hash((milestones, tiers))}", **changes)


def opens(milestones=ALL, tiers=TIERS, **changes):
    """Return an incident under such a policy, and its world."""
    held_to = policy(milestones, tiers)
    world = under(held_to)
    return run(None, (fired(policies=(held_to,), **changes), T0), world=world).incident, world


def held(milestones, tiers=TIERS, person="ana"):
    """Return an incident that somebody has had since T0, and its world."""
    incident, world = opens(milestones, tiers)
    return run(incident, (Ack(person=person, via=WEB, track="main"), T0), world=world).incident, world


MITIGATE = Milestones(mitigate_by_seconds=7200)
UPDATE = Milestones(update_every_seconds=1800)
RESOLVE = Milestones(resolve_by_seconds=28800)


# ------------------------------------------------------------------------------------------------- what is watched


def test_the_first_track_that_is_not_for_compliance_is_watched():
    """One track more waits for its milestones; compliance has its own clock."""
    assert watched(PAYMENTS) == ""
    assert watched(replace(PAYMENTS, milestones=ALL)) == "technical"
    assert watched(replace(LEGAL, milestones=ALL)) == ""
    held_to = replace(PAYMENTS, hash="payments-m", milestones=ALL)
    incident = run(None, (fired(policies=(held_to, LEGAL)), T0), world=under(held_to)).incident
    assert [track.name for track in incident.tracks] == ["technical", "stakeholder", "compliance", "past due:technical"]
    assert incident.main.name == "technical"
    resting = incident.tracks[-1]
    assert (resting.state, is_past_due(resting)) == (TrackState.WAITING, True)
    assert watched_track(incident, resting) is incident.main
    assert spoken_of(incident, resting) is incident.main
    assert spoken_of(incident, incident.main) is incident.main


def test_a_second_policy_has_its_own():
    """Its track of the same name, and what climbs for it, are told apart; the ladder is still found by the name."""
    other = replace(policy(MITIGATE), name="other", hash="other-1")
    world = under(other, under(policy(UPDATE)))
    incident = run(None, (fired(policies=(policy(UPDATE), other)), T0), world=world).incident
    assert [track.name for track in incident.tracks] == ["main", "other:main", BEYOND, "past due other:main"]
    assert past_due_name("other:main").rpartition(":")[2] == "main"
    incident = run(incident, (Ack(person="ana", via=WEB, track="other:main"), T0), world=world).incident
    outcome = run(incident, (DUE, at(120)), world=world)
    assert outcome.incident.track("past due other:main").state is TrackState.RUNNING
    assert outcome.incident.track(BEYOND).state is TrackState.WAITING


def test_they_count_from_the_first_page():
    """`update_every` begins with the ack; the others with the incident, and an ack moves neither."""
    incident, world = opens()
    wanted = [("mitigate_by", 7200.0, ""), ("resolve_by", 28800.0, "")]
    assert [t for t in timers(incident, "main") if t[0] in ("mitigate_by", "update_every", "resolve_by")] == wanted
    acked = run(incident, (Ack(person="ana", via=WEB), at(5)), world=world).incident
    assert timers(acked, "main") == [
        ("update_every", 2100.0, ""),
        *wanted,
        ("ack_question", 300 + 86400.0, ""),
    ]
    back = run(acked, (Unack(person="ana", via=WEB), at(6)), world=world).incident
    assert [t[0] for t in timers(back, "main")] == ["tier_deadline", "mitigate_by", "resolve_by"]


# ------------------------------------------------------------------------------------------------------ mitigate_by


def test_what_is_not_mitigated_reaches_the_next_tier_and_stays_its_owners():
    """The owner is reminded, the next tier is paged and needs an ack of its own; nothing of the ack is lost."""
    incident, world = held(MITIGATE)
    outcome = run(incident, (DUE, at(120)), world=world)
    assert outcome.reason is Reason.MITIGATION_DUE
    assert notices(outcome) == [("milestone", "ana", "mail"), ("page", "bo", "mail")]
    assert journal(outcome) == ["milestone_missed", "tier_entered"]
    entered = body(outcome, "tier_entered")
    assert (entered["track"], entered["to_tier"], entered["reason"], entered["main"]) == (BEYOND, 2, "milestone", False)
    after = outcome.incident
    assert (after.state, after.main.owner, after.acknowledged_by) == (State.ACKNOWLEDGED, "ana", "ana")
    assert after.track(BEYOND).overdue == ("mitigate_by",)
    acked = run(after, (Ack(person="bo", via=WEB), at(121)), world=world)
    assert (acked.reason, acked.incident.track(BEYOND).owner) == (Reason.ACKNOWLEDGED, "bo")
    assert body(acked, "acknowledged")["first"] is False
    assert acked.incident.main.owner == "ana"
    assert violations(acked.incident) == ()


def test_who_is_told_climbs_on_when_nobody_acks():
    """Tier two, tier three, the last resort, again and again; lower tiers do not start over."""
    held_to = policy(MITIGATE)
    held_to = replace(held_to, hash="repeats", tracks=(replace(held_to.tracks[0], repeat=3),))
    world = under(held_to)
    incident = run(None, (fired(policies=(held_to,)), T0), (Ack(person="ana", via=WEB), T0), world=world).incident
    paged = []
    for minutes in (120, 130, 140, 170):
        outcome = run(pass_time(incident, at(minutes - 1), world), (DUE, at(minutes)), world=world)
        paged += [(person, kind) for kind, person, channel in notices(outcome) if kind in ("page", "last_resort")][:1]
        incident = outcome.incident
    assert paged == [("bo", "page"), ("cy", "page"), ("cto", "last_resort"), ("cto", "last_resort")]
    assert incident.main.owner == "ana"


@pytest.mark.parametrize("owner", ["bo", "cy"])
def test_the_next_tier_is_counted_from_the_owners(owner):
    """Who has it at tier two is answered for by tier three; above the last tier there is the last resort."""
    incident, world = opens(MITIGATE)
    for _ in range(1 if owner == "bo" else 2):
        incident = run(incident, (PageNext(person="cy", via=WEB, track="main"), T0), world=world).incident
    incident = run(incident, (Ack(person=owner, via=WEB, track="main"), T0), world=world).incident
    outcome = run(incident, (DUE, at(120)), world=world)
    told = [person for kind, person, _ in notices(outcome) if kind != "milestone"]
    assert told[0] == {"bo": "cy", "cy": "cto"}[owner]


def test_the_owner_is_not_their_own_manager():
    """In the next tier only the others are paged; a tier of the owner alone is passed over."""
    tiers = (tier("ana"), tier("ana"), tier("ana", "bo"))
    incident, world = held(MITIGATE, tiers)
    outcome = run(incident, (DUE, at(120)), world=world)
    assert notices(outcome) == [("milestone", "ana", "mail"), ("page", "bo", "mail")]
    assert outcome.incident.track(BEYOND).tier == 3


def test_the_owner_alone_is_told_where_there_is_nobody_else():
    """A last resort that is the owner is paged all the same: silence would be worse."""
    incident, world = held(MITIGATE, (tier("ana"),))
    alone = without("bo", "cy", "vp", "cto", world=world)
    outcome = run(incident, (DUE, at(120)), world=alone)
    assert {person for _, person, _ in notices(outcome)} == {"ana"}
    assert outcome.incident.track(BEYOND).state is TrackState.LAST_RESORT
    assert violations(outcome.incident) == ()


def test_somebody_who_mitigated_in_time_is_left_in_peace():
    """Who said so and when is kept; the deadline is gone, the ack goes on, and saying it twice changes nothing."""
    incident, world = held(MITIGATE)
    outcome = run(incident, (Mitigated(person="ana", via=WEB, text="rolled back"), at(60)), world=world)
    assert (outcome.reason, notices(outcome)) == (Reason.MITIGATED, [])
    assert body(outcome, "mitigated")["text"] == "rolled back"
    assert (outcome.incident.mitigated_by, outcome.incident.mitigated_at) == ("ana", at(60))
    assert [t[0] for t in timers(outcome.incident, "main")] == ["ack_question"]
    again = run(outcome.incident, (Mitigated(person="bo", via=WEB), at(61)), world=world)
    assert (again.reason, again.incident) == (Reason.ALREADY_MITIGATED, outcome.incident)


def test_mitigated_late_lets_those_who_were_paged_sleep():
    """They are off the hook, quietly; what had not gone out is taken back; the track rests for the next time."""
    incident, world = held(MITIGATE)
    incident = run(incident, (DUE, at(120)), world=world).incident
    outcome = run(incident, (Mitigated(person="ana", via=WEB), at(125)), world=world)
    assert ("acked", "bo", "mail") in notices(outcome)
    assert ("made_up") in journal(outcome)
    resting = outcome.incident.track(BEYOND)
    assert (resting.state, resting.pages, resting.overdue, timers(outcome.incident, BEYOND)) == (
        TrackState.WAITING,
        (),
        (),
        [],
    )
    assert outcome.incident.main.owner == "ana"
    late = run(outcome.incident, (Ack(person="bo", via=WEB, track=BEYOND), at(126)), world=world)
    assert late.reason is Reason.ALREADY_ACKNOWLEDGED  # ana has it


def test_a_worse_severity_after_it_asks_for_another_mitigation():
    """What is mitigated no longer is: the time begins anew."""
    incident, world = held(MITIGATE)
    incident = run(incident, (Mitigated(person="ana", via=WEB), at(60)), world=world).incident
    worse = fired(severity=Severity.CRITICAL, previous=Severity.ERROR, policies=(policy(MITIGATE),))
    after = run(incident, (worse, at(90)), world=world).incident
    assert after.mitigated_at is None
    assert ("mitigate_by", 90 * 60 + 7200.0, "") in timers(after, "main")
    same = run(held(MITIGATE)[0], (worse, at(90)), world=world).incident
    assert ("mitigate_by", 7200.0, "") in timers(same, "main")


def test_an_unheld_incident_climbs_at_once():
    """While nobody has it, a missed milestone does not wait for the window; at the last resort it pages that again."""
    incident, world = opens(Milestones(mitigate_by_seconds=300))
    outcome = run(incident, (DUE, at(5)), world=world)
    assert (outcome.reason, notices(outcome)) == (Reason.MITIGATION_DUE, [("page", "bo", "mail")])
    assert body(outcome, "tier_entered")["reason"] == "milestone"
    assert outcome.incident.track(BEYOND).state is TrackState.WAITING
    incident, world = opens(MITIGATE)
    late = run(pass_time(incident, at(119), world), (DUE, at(120)), world=world)
    assert {kind for kind, _, _ in notices(late)} == {"last_resort"}


# ----------------------------------------------------------------------------------------------------- update_every


def test_silence_is_asked_about_once_then_told():
    """After half an hour the owner is asked, after another the next tier hears of it, and the owner is asked again."""
    incident, world = held(UPDATE)
    first = run(incident, (DUE, at(30)), world=world)
    assert (first.reason, notices(first)) == (Reason.UPDATE_DUE, [("milestone", "ana", "mail")])
    assert first.incident.track(BEYOND).state is TrackState.WAITING
    second = run(first.incident, (DUE, at(60)), world=world)
    assert notices(second) == [("milestone", "ana", "mail"), ("page", "bo", "mail")]
    acked = run(second.incident, (Ack(person="bo", via=WEB), at(61)), world=world).incident
    third = run(acked, (DUE, at(90)), world=world)
    assert notices(third) == [("milestone", "ana", "mail"), ("milestone", "bo", "mail")]
    assert (third.incident.main.silences, third.incident.main.owner) == (3, "ana")
    assert violations(third.incident) == ()


def test_a_note_is_an_update():
    """Anybody's word begins the half hour anew, forgets a miss, and lets the one who was paged for it sleep."""
    incident, world = held(UPDATE)
    incident = run(incident, (DUE, at(30)), (Note(person="bo", via=WEB, text="x"), at(40)), world=world).incident
    assert incident.main.silences == 0
    assert ("update_every", 70 * 60.0, "") in timers(incident, "main")
    incident = run(incident, (DUE, at(70)), (DUE, at(100)), world=world).incident
    outcome = run(incident, (Note(person="ana", via=WEB, text="x"), at(101)), world=world)
    assert ("acked", "bo", "mail") in notices(outcome)
    assert outcome.incident.track(BEYOND).state is TrackState.WAITING
    mitigated = run(incident, (Mitigated(person="ana", via=WEB), at(101)), world=world)
    assert mitigated.incident.track(BEYOND).state is TrackState.WAITING
    assert ("update_every", 131 * 60.0, "") in timers(mitigated.incident, "main")


def test_one_question_at_a_time():
    """Who is being asked whether it is still theirs is not asked for news too; the answer is an update."""
    held_to = policy(UPDATE, ack_hold_seconds=dict.fromkeys(Severity, 1800.0))
    world = under(held_to)
    incident = run(None, (fired(policies=(held_to,)), T0), (Ack(person="ana", via=WEB), T0), world=world).incident
    outcome = run(incident, (DUE, at(30)), world=world)
    assert notices(outcome) == [("ack_question", "ana", "mail")]
    assert (outcome.incident.main.silences, journal(outcome)) == (0, ["ack_asked"])
    incident = run(outcome.incident, (Ack(person="ana", via=WEB), at(35)), world=world).incident
    assert ("update_every", 65 * 60.0, "") in timers(incident, "main")
    told = replace(held_to, ack_hold_seconds={})
    world = under(told)
    incident = run(None, (fired(policies=(told,)), T0), (Ack(person="ana", via=WEB), T0), world=world).incident
    incident = run(incident, (DUE, at(30)), (DUE, at(60)), world=world).incident
    assert incident.track(BEYOND).state is TrackState.RUNNING


def test_a_snooze_says_when_the_next_word_comes():
    """Until its end no update is wanted, whatever is noted meanwhile; the other milestones go on."""
    incident, world = held(ALL)
    incident = run(incident, (Snooze(person="ana", via=WEB, seconds=7800), at(1)), world=world).incident
    noted = run(incident, (Note(person="ana", via=WEB, text="x"), at(2)), world=world).incident
    for one in (incident, noted):
        assert [t for t in timers(one, "main") if t[0] != "snooze_end"] == [
            ("mitigate_by", 7200.0, ""),
            ("update_every", 7860.0, ""),
            ("resolve_by", 28800.0, ""),
        ]
    outcome = run(noted, (DUE, at(120)), world=world)
    assert ("page", "bo", "mail") in notices(outcome)
    assert ("snooze_end", 7860.0, "") in timers(outcome.incident, "main")


# ------------------------------------------------------------------------------------------------------- resolve_by


def test_what_is_not_over_in_time_reaches_the_top():
    """The last resort is paged until somebody there acks; the owner keeps what is theirs."""
    incident, world = held(RESOLVE)
    outcome = run(incident, (DUE, at(480)), world=world)
    assert outcome.reason is Reason.RESOLUTION_DUE
    assert ("milestone", "ana", "mail") in notices(outcome)
    assert {person for kind, person, _ in notices(outcome) if kind == "last_resort"} == {"cto"}
    assert (outcome.incident.main.owner, outcome.incident.track(BEYOND).tier) == ("ana", 3)
    assert "exhausted" not in journal(outcome)
    noted = run(outcome.incident, (Note(person="ana", via=WEB, text="x"), at(481)), world=world)
    assert noted.incident.track(BEYOND).state is TrackState.LAST_RESORT
    both = run(noted.incident, (Mitigated(person="ana", via=WEB), at(482)), world=world)
    assert both.incident.track(BEYOND).overdue == ("resolve_by",)


def test_an_unheld_incident_goes_to_the_last_resort():
    """Nobody has it and it is not over in time: no tier is waited for any more."""
    incident, world = opens(Milestones(resolve_by_seconds=300))
    outcome = run(incident, (DUE, at(5)), world=world)
    assert outcome.incident.main.state is TrackState.LAST_RESORT
    assert {kind for kind, _, _ in notices(outcome)} == {"last_resort"}


@pytest.mark.parametrize(
    ("kind", "place", "becomes"),
    [
        (TimerKind.MITIGATE_BY, "acknowledged", TrackState.RUNNING),
        (TimerKind.MITIGATE_BY, "running", TrackState.RUNNING),
        (TimerKind.MITIGATE_BY, "last_resort", TrackState.LAST_RESORT),
        (TimerKind.RESOLVE_BY, "acknowledged", TrackState.LAST_RESORT),
        (TimerKind.RESOLVE_BY, "running", TrackState.LAST_RESORT),
        (TimerKind.RESOLVE_BY, "last_resort", TrackState.LAST_RESORT),
        (TimerKind.UPDATE_EVERY, "acknowledged", TrackState.ACKNOWLEDGED),
        (TimerKind.UPDATE_EVERY, "running", TrackState.RUNNING),
        (TimerKind.UPDATE_EVERY, "last_resort", TrackState.LAST_RESORT),
    ],
)
def test_a_further_miss_climbs_on_from_where_it_is(kind, place, becomes):
    """What rings already is not rung twice; from an ack it goes on; the end of its time leads to the top."""
    given = replace(UPDATE, **{f"{kind.value}_seconds": 3720.0} if kind is not TimerKind.UPDATE_EVERY else {})
    incident, world = held(given)
    incident = run(incident, (DUE, at(30)), (DUE, at(60)), world=world).incident
    if place == "acknowledged":
        incident = run(incident, (Ack(person="bo", via=WEB, track=BEYOND), at(60)), world=world).incident
    for _ in range(2 if place == "last_resort" else 0):
        incident = run(incident, (PageNext(person="vp", via=WEB, track=BEYOND), at(60)), world=world).incident
    assert incident.track(BEYOND).state.value == place
    epoch = incident.track(BEYOND).epoch
    when = at(62) if kind is not TimerKind.UPDATE_EVERY else at(90)
    quiet = tuple(t for t in incident.timers if t.track == "main" or t.at > when)
    incident = replace(incident, timers=quiet)
    outcome = run(incident, (DUE, when), world=world)
    climber = outcome.incident.track(BEYOND)
    assert climber.state is becomes
    rings_anew = place == "acknowledged" or (place == "running" and kind is TimerKind.RESOLVE_BY)
    assert (climber.epoch > epoch) is (rings_anew and kind is not TimerKind.UPDATE_EVERY)
    assert kind.value in climber.overdue
    assert outcome.incident.main.owner == "ana"


# --------------------------------------------------------------------------------------------------------- the end


def test_the_end_ends_them_and_everybody_is_told():
    """A resolve clears every milestone, and whoever was paged beyond the owner is stood down."""
    incident, world = held(MITIGATE)
    incident = run(incident, (DUE, at(120)), world=world).incident
    outcome = run(incident, (AlertSettled(fingerprint="f1", severity=Severity.ERROR), at(130)), world=world)
    assert outcome.incident.timers == ()
    assert {person for kind, person, _ in notices(outcome) if kind == "stand_down"} >= {"ana", "bo"}
    noted = run(outcome.incident, (Note(person="ana", via=WEB, text="post mortem"), at(140)), world=world)
    assert {track.state for track in noted.incident.tracks} == {TrackState.ENDED}


def test_what_compliance_keeps_open_has_no_milestones_left_and_starts_over():
    """After the recovery nothing is mitigated any more; when it fires again the times begin anew."""
    held_to = policy(MITIGATE)
    world = under(held_to)
    incident = run(None, (fired(policies=(held_to, LEGAL)), T0), (Ack(person="ana", via=WEB), T0), world=world).incident
    incident = run(incident, (Mitigated(person="ana", via=WEB), at(5)), world=world).incident
    incident = run(incident, (AlertSettled(fingerprint="f1", severity=Severity.ERROR), at(10)), world=world).incident
    assert timers(incident, "main") == []
    incident = run(incident, (fired(fingerprint="f2", policies=(held_to, LEGAL)), at(60)), world=world).incident
    assert ("mitigate_by", 3600 + 7200.0, "") in timers(incident, "main")
    assert (incident.mitigated_at, incident.track(BEYOND).state) == (None, TrackState.WAITING)


def test_what_climbs_beyond_is_not_paged_for_a_new_alert():
    """A new alert pages the owner, not the one who answers for the owner."""
    incident, world = held(MITIGATE)
    incident = run(incident, (DUE, at(120)), (Ack(person="bo", via=WEB), at(121)), world=world).incident
    outcome = run(incident, (fired(fingerprint="f2", policies=(policy(MITIGATE),)), at(122)), world=world)
    assert [person for kind, person, _ in notices(outcome) if kind == "page"] == ["ana"]
    assert outcome.incident.track(BEYOND).owner == "bo"


def test_a_stakeholder_track_can_be_watched():
    """Where a policy serves nobody else, its milestones are those of its stakeholders."""
    held_to = ladder(tier("vp", plan=MAIL), kind=TrackKind.STAKEHOLDER, milestones=MITIGATE, hash="stake")
    incident = run(None, (fired(policies=(held_to,)), T0), world=under(held_to)).incident
    assert ("mitigate_by", 7200.0, "") in timers(incident, "main")


def test_the_forecast_tells_of_them():
    """What comes for the owner and beyond is foretold with its people; silence is told of twice, not for ever."""
    incident, world = held(ALL)
    told = [(rung.what, rung.people) for rung in forecast(incident, world, T0)]
    assert told[0] == ("no update in its time", ("ana",))
    assert ("tier 2 bo, beyond the owner", ("bo",)) in told
    assert ("not mitigated in its time", ("ana",)) in told
    assert sum(what == "no update in its time" for what, _ in told) == 2
    unheld, world = opens(Milestones(mitigate_by_seconds=300))
    assert "tier 2 bo, before its time" in [rung.what for rung in forecast(unheld, world, T0)]


# ---------------------------------------------------------------------------------------------------------- the law

EVENTS = st.sampled_from(
    [
        Note(person="ana", via=WEB, text="x"),
        Mitigated(person="ana", via=WEB),
        Snooze(person="ana", via=WEB, seconds=9000, track="main"),
        Ack(person="bo", via=WEB, track=BEYOND),
        Ack(person="cy", via=WEB, track="main", take_over=True),
        PageNext(person="vp", via=WEB, track=BEYOND),
        fired(fingerprint="f9", repage=False),
    ]
)


@settings(max_examples=150, deadline=None)
@given(steps=st.lists(st.tuples(st.integers(0, 3000), EVENTS), max_size=12))
def test_whatever_happens_a_missed_milestone_is_told_and_takes_no_ack_away(steps):
    """Every milestone that passes leaves its line, on its instant; nothing but humans and holds moves the owner."""
    incident, world = held(ALL)
    now = T0
    for seconds, event in steps:
        until = now + timedelta(seconds=seconds)
        while incident.next_due_at is not None and incident.next_due_at <= until:
            now = incident.next_due_at
            at_once = [t for t in incident.timers if t.at == now]
            ends = any(
                t.kind in HOLDS and t.track == "main" for t in at_once
            )  # the end of a hold takes its updates along
            kinds = ("mitigate_by", "resolve_by") if ends else ALL_KINDS
            due = [t for t in at_once if t.kind.value in kinds]
            before = incident.main.owner
            outcome = step(incident, DUE, now, world)
            told = [e for e in outcome.effects if isinstance(e, Record) and e.kind == "milestone_missed"]
            assert len(told) == len(due)
            assert [e for e in outcome.effects if isinstance(e, Notify)] or not due
            if due and not ends:
                assert outcome.incident.main.owner == before
            incident = outcome.incident
            assert violations(incident) == ()
        now = until
        incident = step(incident, event, now, world).incident
        assert violations(incident) == ()
        wanted = 1 + (incident.mitigated_at is None and now < at(120))
        assert sum(t.kind.value in ("mitigate_by", "resolve_by") for t in incident.timers) >= wanted * (now < at(120))
    closed = step(incident, Resolve(person="ana", via=WEB), now, world).incident
    assert closed.timers == ()


ALL_KINDS = ("mitigate_by", "update_every", "resolve_by")


def test_an_incident_of_an_older_version_has_none_of_this():
    """Fields that a stored incident lacks have defaults under which nothing is missed."""
    assert (opened().main.started_at, opened().mitigated_at, opened().main.overdue) == (T0, None, ())
