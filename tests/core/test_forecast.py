"""What happens next if nobody acts, told beforehand and then done."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import pytest

from escalatord.core.alert import Severity
from escalatord.core.escalation import step
from escalatord.core.events import Ack, AlertFired, Delivery, Notify, Resolve, Snooze, TimersDue
from escalatord.core.forecast import RUNGS_MAX, STEPS_MAX, Rung, RungKind, _rungs, ladder, next_tier, on_call_now
from escalatord.core.incident import Attempt, Cause, Incident, Timer, TimerKind, Via
from escalatord.core.policy import (
    Compliance,
    ContactPlan,
    LastResort,
    PlanStep,
    Policy,
    SeverityOverride,
    Target,
    TargetKind,
    Tier,
    TrackKind,
    TrackPolicy,
)
from escalatord.core.roster import ChannelKind, ChannelSpec, Person
from escalatord.core.ruleset import Ruleset, Unmatched, World
from escalatord.core.schedule import Layer, OnCall, Override, Rotation, RotationUnit, Schedule

NOW = datetime(2026, 10, 7, 3, tzinfo=UTC)
SMS = PlanStep(by="sms")
PLAN = ContactPlan(name="usual", steps=(SMS, PlanStep(by="call", after_seconds=180.0)))
MAIN = "technical"


def person(name: str) -> Target:
    """Return the target `person NAME`."""
    return Target(TargetKind.PERSON, name)


def tier(name: str, *page: Target, minutes: float = 10, remind: tuple[float, ...] = ()) -> Tier:
    """Return a tier with a window in minutes."""
    return Tier(name=name, page=page, within_seconds=minutes * 60, remind_seconds=remind, plan=PLAN)


TIERS = (
    tier("primary", Target(TargetKind.ONCALL, "duty"), minutes=5, remind=(120.0,)),
    tier("secondary", person("bo")),
    tier("lead", person("cy")),
)
LAST = LastResort(page=(person("cto"),), plan=PLAN, every_seconds=1800.0)


def policy(*tiers: Tier, repeat: int = 0, extra: tuple[TrackPolicy, ...] = (), **changes: object) -> Policy:
    """Return a policy whose technical track has these tiers."""
    technical = TrackPolicy(name=MAIN, kind=TrackKind.TECHNICAL, tiers=tiers or TIERS, repeat=repeat)
    plain = Policy(name="payments", hash="h1", tracks=(technical, *extra), last_resort=LAST)
    return replace(plain, **changes)


def world(*policies: Policy, overrides: tuple[Override, ...] = ()) -> World:
    """Return a world in which Ana is on call until 09:00 UTC, then Bo; everybody has a phone."""
    daily = Rotation(unit=RotationUnit.DAILY, at=time(9), starts=date(2026, 10, 6))
    layer = Layer(name="days", timezone="UTC", rotation=daily, people=("ana", "bo"))
    people = [Person(id=name, name=name, addresses={"phone": name}) for name in ("ana", "bo", "cy", "cto", "dpo")]
    channels = [
        ChannelSpec(name="sms", kind=ChannelKind.SMS, provider="sim", address_key="phone", receipts=True),
        ChannelSpec(name="call", kind=ChannelKind.CALL, provider="sim", address_key="phone", receipts=True),
    ]
    ruleset = Ruleset(
        hash="",
        unmatched=Unmatched(severity=Severity.WARNING, policy="payments"),
        policies={one.name: one for one in policies},
        people={one.id: one for one in people},
        schedules={"duty": Schedule(name="duty", timezone="UTC", layers=(layer,))},
        channels={one.name: one for one in channels},
    )
    return World(ruleset=ruleset, policies={one.hash: one for one in policies}, overrides=overrides)


def alert(*policies: Policy, severity: Severity = Severity.CRITICAL) -> AlertFired:
    """Return the alert that opens an incident."""
    return AlertFired(
        number=1,
        key="k",
        source="am",
        fingerprint="f",
        title="5xx",
        summary="",
        links={},
        service="checkout",
        severity=severity,
        cause=Cause.THRESHOLD,
        rule="r",
        policies=policies,
    )


def fire(around: World, *policies: Policy, severity: Severity = Severity.CRITICAL) -> Incident:
    """Return an incident opened at NOW, as the state machine opens it."""
    return then(None, alert(*policies, severity=severity), NOW, around)


def then(incident: Incident | None, event: object, at: datetime, around: World) -> Incident:
    """Return what an event makes of an incident."""
    after = step(incident, event, at, around).incident
    assert after is not None
    return after


def minutes(count: float) -> datetime:
    """Return the instant so many minutes after NOW."""
    return NOW + timedelta(minutes=count)


def told(rungs: tuple[Rung, ...]) -> list[tuple[float, str, str]]:
    """Return (minutes from NOW, what, people) of each rung."""
    return [((rung.at - NOW).total_seconds() / 60, rung.what, " ".join(rung.people)) for rung in rungs]


def test_ladder_of_a_new_incident() -> None:
    """The present tier with its details, then each tier to come, then the last resort."""
    rules = policy()
    around = world(rules)
    assert told(ladder(fire(around, rules), around, NOW)) == [
        (2, "reminder", "ana"),
        (3, "not acked yet: call", "ana"),
        (5, "tier 2 secondary", "bo"),
        (15, "tier 3 lead", "cy"),
        (25, "last resort, every 30m", "cto"),
    ]


def test_ladder_names_track_tier_and_kind() -> None:
    """Each rung says where it belongs."""
    rules = policy()
    around = world(rules)
    rungs = ladder(fire(around, rules), around, NOW)
    assert [(rung.track, rung.tier, rung.kind) for rung in rungs] == [
        (MAIN, 1, RungKind.REMINDER),
        (MAIN, 1, RungKind.STEP),
        (MAIN, 2, RungKind.TIER),
        (MAIN, 3, RungKind.TIER),
        (MAIN, 3, RungKind.LAST_RESORT),
    ]


def test_ladder_repeats() -> None:
    """A repeat starts at the first tier again and is counted."""
    rules = policy(tier("only", person("ana")), repeat=2)
    around = world(rules)
    assert told(ladder(fire(around, rules), around, NOW))[1:] == [
        (10, "tier 1 only, repeat 1 of 2", "ana"),
        (20, "tier 1 only, repeat 2 of 2", "ana"),
        (30, "last resort, every 30m", "cto"),
    ]


def test_ladder_says_which_tiers_are_empty() -> None:
    """A tier without anybody is passed at once, and the rung says so."""
    rules = policy(TIERS[1], tier("ghosts", person("ghost")), TIERS[2], tier("more", person("ghost")))
    around = world(rules)
    assert told(ladder(fire(around, rules), around, NOW))[1:] == [
        (10, "tier 3 lead (nobody on call in tier 2)", "cy"),
        (20, "last resort, every 30m (nobody on call in tier 4)", "cto"),
    ]


def test_ladder_looks_people_up_at_the_future_instant() -> None:
    """Who is on call when the tier starts is named, overrides made for then included."""
    rules = policy(tier("wait", person("cy"), minutes=6 * 60), *TIERS)
    swap = Override(schedule="duty", person="dpo", start=minutes(6 * 60), end=minutes(6 * 60 + 1))
    for overrides, expected in (((), ("bo",)), ((swap,), ("dpo",))):
        around = world(rules, overrides=overrides)
        found = next_tier(fire(around, rules), around, NOW, MAIN)
        assert found is not None
        assert (found.at, found.what, found.people) == (minutes(6 * 60), "tier 2 primary", expected)


def test_ladder_uses_the_override_for_the_severity() -> None:
    """A critical incident climbs at the pace of `when: critical`, others by the tiers' own windows."""
    rules = policy(overrides={Severity.CRITICAL: SeverityOverride(within_seconds=60.0)})
    around = world(rules)
    critical, error = (fire(around, rules, severity=severity) for severity in (Severity.CRITICAL, Severity.ERROR))
    assert [rung.at for rung in ladder(critical, around, NOW)] == [minutes(count) for count in (1, 2, 3)]
    assert [rung.at for rung in ladder(error, around, NOW) if rung.tier > 1] == [minutes(5), minutes(15), minutes(25)]


def test_overdue_tier_comes_now() -> None:
    """What should have happened while nobody looked happens at once, and later windows count from then."""
    rules = policy()
    around = world(rules)
    assert told(ladder(fire(around, rules), around, minutes(60))) == [
        (60, "tier 2 secondary", "bo"),
        (70, "tier 3 lead", "cy"),
        (80, "last resort, every 30m", "cto"),
    ]


def test_ladder_of_a_held_incident_is_the_end_of_the_hold() -> None:
    """An ack ends with a question, then the same tier is paged again; what follows that is not told."""
    rules = policy(ack_hold_seconds={Severity.CRITICAL: 3600.0})
    around = world(rules)
    held = then(fire(around, rules), Ack(person="ana", via=Via.SMS), minutes(1), around)
    assert told(ladder(held, around, minutes(1))) == [
        (61, "asked whether it is still in hand", "ana"),
        (71, "tier 1 primary again, as the ack runs out", "ana"),
    ]


def test_ladder_of_a_snoozed_incident() -> None:
    """A snooze ends by paging the tier again, without a question."""
    rules = policy()
    around = world(rules)
    snoozed = then(fire(around, rules), Snooze(person="ana", via=Via.WEB, seconds=1800.0), minutes(1), around)
    assert told(ladder(snoozed, around, minutes(1))) == [(31, "tier 1 primary again, as the snooze ends", "ana")]


def test_ladder_of_the_last_resort_is_its_next_round() -> None:
    """At the last resort one more round is told, since it goes on for ever."""
    rules = policy(tier("only", person("ana")))
    around = world(rules)
    exhausted = then(fire(around, rules), TimersDue(), minutes(10), around)
    assert told(ladder(exhausted, around, minutes(11)))[-1:] == [(40, "last resort, every 30m", "cto")]


def test_ladder_takes_messages_to_arrive() -> None:
    """A receipt that is still to come is no event; what would follow without it is not told."""
    rules = policy()
    around = world(rules)
    opened = step(None, alert(rules), NOW, around)
    assert opened.incident is not None
    sent = next(effect for effect in opened.effects if isinstance(effect, Notify))
    taken = Delivery(reference=sent.reference, status=Attempt.ACCEPTED, channel="sms")
    waiting = then(opened.incident, taken, minutes(0.1), around)
    assert any(timer.kind is TimerKind.RECEIPT_OVERDUE for timer in waiting.timers)
    assert ladder(waiting, around, minutes(0.1)) == ladder(opened.incident, around, minutes(0.1))


def test_closed_incident_has_no_rungs() -> None:
    """Nothing more happens to what is over, not even if a stray deadline was left behind."""
    rules = policy()
    around = world(rules)
    over = then(fire(around, rules), Resolve(person="ana", via=Via.WEB), minutes(1), around)
    assert ladder(over, around, minutes(2)) == ()
    stray = replace(over, timers=(Timer(kind=TimerKind.TIER_DEADLINE, at=minutes(3), track=MAIN),))
    assert ladder(stray, around, minutes(2)) == ()
    assert next_tier(over, around, minutes(2), MAIN) is None


def test_tracks_climb_side_by_side() -> None:
    """Rungs of all tracks are told in the order of time; a legal clock goes on although somebody holds the track."""
    legal = TrackPolicy(name="legal", kind=TrackKind.COMPLIANCE, tiers=(tier("dpo", person("dpo"), minutes=30),))
    clock = Compliance(regime="gdpr", clock_from="awareness", due_seconds=7200.0, remind_seconds=(3600.0,))
    rules = policy(extra=(legal,), compliance=clock, ack_hold_seconds={Severity.CRITICAL: 5400.0})
    around = world(rules)
    incident = fire(around, rules)
    wanted = (RungKind.TIER, RungKind.STATUTORY, RungKind.LAST_RESORT)
    rungs = tuple(rung for rung in ladder(incident, around, NOW) if rung.kind in wanted)
    assert told(rungs) == [
        (5, "tier 2 secondary", "bo"),
        (15, "tier 3 lead", "cy"),
        (25, "last resort, every 30m", "cto"),
        (30, "last resort, every 30m", "cto"),
        (60, "gdpr clock: reminder", "cto"),
        (120, "gdpr clock: the time is up", "cto"),
    ]
    assert [rung.track for rung in rungs] == [MAIN, MAIN, MAIN, "legal", "legal", "legal"]
    held = then(incident, Ack(person="dpo", via=Via.SMS, track="legal"), minutes(1), around)
    assert told(tuple(rung for rung in ladder(held, around, minutes(1)) if rung.track == "legal")) == [
        (60, "gdpr clock: reminder", "dpo"),
        (91, "asked whether it is still in hand", "dpo"),
        (101, "tier 1 dpo again, as the ack runs out", "dpo"),
        (120, "gdpr clock: the time is up", "dpo"),
    ]


def test_track_of_a_second_policy_finds_its_own_tiers() -> None:
    """A second policy's track of the same name is told with that policy's tiers."""
    main = policy(tier("only", person("ana")))
    security = replace(policy(tier("first", person("bo")), tier("then", person("cy"))), name="security", hash="h2")
    around = world(main, security)
    found = next_tier(fire(around, main, security), around, NOW, "security:technical")
    assert found is not None
    assert (found.what, found.people) == ("tier 2 then", ("cy",))


def test_ladder_is_bounded() -> None:
    """Endless repeats end at a stated number of rungs, and of steps looked at."""
    rules = policy(tier("only", person("ana")), repeat=10 * STEPS_MAX)
    around = world(rules)
    incident = fire(around, rules)
    assert len(ladder(incident, around, NOW)) == RUNGS_MAX
    assert len(list(_rungs(incident, around, NOW))) == STEPS_MAX


@pytest.mark.parametrize("repeat", [0, 1])
def test_what_is_told_is_what_happens(repeat: int) -> None:
    """Nobody acts: the tiers entered and the people paged are those that were told when it opened."""
    rules = policy(repeat=repeat)
    around = world(rules)
    incident = fire(around, rules)
    happened = []
    promised = [rung for rung in ladder(incident, around, NOW) if rung.kind in (RungKind.TIER, RungKind.LAST_RESORT)]
    while len(happened) < len(promised):
        due = incident.next_due_at
        assert due is not None
        epoch = incident.main.epoch
        incident = then(incident, TimersDue(), due, around)
        if incident.main.epoch != epoch:
            happened.append((due, incident.main.tier, tuple(page.person for page in incident.main.pages)))
    assert [(rung.at, rung.tier, rung.people) for rung in promised] == happened


def test_on_call_now() -> None:
    """Every schedule is answered, with overrides made at run time."""
    swap = Override(schedule="duty", person="cy", start=NOW, end=minutes(1), why="swap")
    around = world(policy(), overrides=(swap,))
    assert on_call_now(around, NOW) == {"duty": (OnCall(person="cy", because="override: swap"),)}
    assert on_call_now(around, minutes(1)) == {"duty": (OnCall(person="ana", because="layer days"),)}
