"""Office hours: what would page outside them waits for their start, exactly, and is never dropped."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from escalatord.core.alert import Severity
from escalatord.core.calendar import Calendar, Hours, is_working
from escalatord.core.escalation import step
from escalatord.core.events import (
    Ack,
    AlertSettled,
    Delivery,
    HoursChanged,
    Mitigated,
    Notify,
    PageNext,
    PassOn,
    Snooze,
    TimersDue,
    Unack,
)
from escalatord.core.forecast import ladder as forecast
from escalatord.core.hours import held_until, waits_until
from escalatord.core.incident import Attempt, Cause, NoticeKind, Reason, TrackState, Via
from escalatord.core.invariants import violations
from escalatord.core.policy import Milestones, OfficeHours
from tests.fakes.world import (
    LEGAL,
    OFFICE,
    T0,
    at_work,
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

WEB = Via.WEB
DUE = TimersDue()
MONDAY = datetime(2026, 10, 26, 9, 0, tzinfo=UTC)
FRIDAY = datetime(2026, 10, 30, 17, 50, tzinfo=UTC)
NEXT_MONDAY = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
HELD_SECONDS = (MONDAY - T0).total_seconds()
HOURS = OfficeHours(calendar="work", unless=Severity.CRITICAL)
SLOW = ladder(tier("ana", within=600, remind_seconds=(300,)), tier("bo", within=600), hours=HOURS)
WORLD = at_work(SLOW)


def opens(now=T0, policy=SLOW, world=WORLD, **changes):
    """Return an incident of a policy with office hours that opens at some instant."""
    return run(None, (fired(policies=(policy,), **changes), now), world=world).incident


HELD = opens()


def test_an_incident_opens_at_night_and_pages_nobody():
    """It is there and seen; its page waits for Monday, nine sharp, and the journal says why."""
    outcome = run(None, (fired(policies=(SLOW,)), T0), world=WORLD)
    assert (outcome.incident.main.state, notices(outcome)) == (TrackState.HELD, [])
    assert timers(outcome.incident, "main") == [("hours_start", HELD_SECONDS, "1/opened")]
    assert journal(outcome) == ["opened", "held"]
    assert body(outcome, "held")["until"] == MONDAY.isoformat()
    assert (body(outcome, "held")["hours_of"], body(outcome, "held")["calendar"]) == ("plain", "work")
    assert held_until(outcome.incident.main, outcome.incident.timers) == MONDAY
    assert held_until(opens(MONDAY).main, ()) is None
    assert violations(outcome.incident) == ()


def test_it_pages_at_the_very_start_of_the_hours():
    """Not an instant before, once, on time, and the entry says for how long it was held."""
    assert run(HELD, (DUE, MONDAY - timedelta(microseconds=1)), world=WORLD).reason is Reason.NOT_DUE
    outcome = run(HELD, (DUE, MONDAY), world=WORLD)
    assert outcome.reason is Reason.HOURS_OPENED
    assert notices(outcome) == [("page", "ana", "mail")]
    entered = body(outcome, "tier_entered")
    assert (entered["reason"], entered["held_seconds"], entered["late"]) == ("hours_opened", HELD_SECONDS, False)
    assert outcome.incident.main.held_since is None


def test_in_office_hours_nothing_waits():
    """A Monday at nine is like any other policy's."""
    outcome = run(None, (fired(policies=(SLOW,)), MONDAY), world=WORLD)
    assert notices(outcome) == [("page", "ana", "mail")]


@pytest.mark.parametrize(
    ("changes", "waits"),
    [
        ({}, True),
        ({"severity": Severity.CRITICAL}, False),
        ({"cause": Cause.EXCEPTION}, False),
        ({"cause": Cause.RAISED}, True),
    ],
    ids=["an error waits", "critical does not", "an exception does not", "what a human raised waits"],
)
def test_who_waits(changes, waits):
    """Severity and cause decide."""
    assert (opens(**changes).main.state is TrackState.HELD) is waits


def test_compliance_knows_no_hours():
    """A statutory track of the same policy pages at night."""
    legal = replace(LEGAL, hash="legal-hours", hours=HOURS)
    assert opens(policy=legal, world=at_work(legal)).main.state is TrackState.RUNNING


def test_critical_is_held_too_where_nothing_is_said_of_it():
    """Without `unless` every severity waits."""
    policy = replace(SLOW, hash="all", hours=OfficeHours(calendar="work"))
    assert opens(policy=policy, world=at_work(policy), severity=Severity.CRITICAL).main.state is TrackState.HELD


def test_without_its_calendar_nothing_is_held():
    """Neither a calendar that left the rules nor one that never starts swallows a page."""
    never = replace(OFFICE, hours=())
    for world in (under(SLOW), at_work(SLOW, calendar=never)):
        assert opens(world=world).main.state is TrackState.RUNNING


def test_a_worse_severity_pages_at_once():
    """Rising to `unless` ends the wait, rising below it does not."""
    warning = opens(severity=Severity.WARNING)
    still = run(warning, (fired(severity=Severity.ERROR, previous=Severity.WARNING, policies=(SLOW,)), T0), world=WORLD)
    assert (still.incident.main.state, notices(still)) == (TrackState.HELD, [])
    worse = fired(severity=Severity.CRITICAL, previous=Severity.ERROR, policies=(SLOW,))
    outcome = run(still.incident, (worse, T0 + timedelta(hours=1)), world=WORLD)
    assert notices(outcome) == [("page", "ana", "mail")]
    assert outcome.incident.main.held_seconds == 3600
    assert violations(outcome.incident) == ()


def test_what_is_over_before_the_hours_pages_nobody():
    """A resolve before Monday leaves a line in the journal and no message."""
    outcome = run(HELD, (AlertSettled(fingerprint="f1", severity=Severity.ERROR), T0), world=WORLD)
    assert (notices(outcome), journal(outcome), outcome.incident.timers) == ([], ["resolved"], ())


def test_whoever_acks_a_held_incident_has_it():
    """No page has to come first; the hold of the ack begins, and giving it back waits for the hours again."""
    outcome = run(HELD, (Ack(person="ana", via=WEB), T0), world=WORLD)
    main = outcome.incident.main
    assert (outcome.reason, main.state, main.owner, main.tier) == (
        Reason.ACKNOWLEDGED,
        TrackState.ACKNOWLEDGED,
        "ana",
        1,
    )
    assert body(outcome, "acknowledged")["volunteer"] is True
    back = run(outcome.incident, (Unack(person="ana", via=WEB), T0 + timedelta(minutes=1)), world=WORLD)
    assert (back.incident.main.state, notices(back)) == (TrackState.HELD, [])
    assert body(back, "held")["held"] == "unacknowledged"
    assert notices(run(back.incident, (DUE, MONDAY), world=WORLD)) == [("page", "ana", "mail")]


def test_a_human_who_asks_for_the_next_tier_does_not_wait():
    """By hand is now; from a held incident it is the first tier."""
    outcome = run(HELD, (PageNext(person="cy", via=WEB), T0), world=WORLD)
    assert notices(outcome) == [("page", "ana", "mail")]


def test_a_window_that_ends_in_the_evening_ends_in_the_morning():
    """The next tier of Friday evening is Monday's; reminders in between are silent, and Monday has one page."""
    incident = opens(FRIDAY + timedelta(minutes=4))
    outcome = run(incident, (DUE, FRIDAY + timedelta(minutes=9)), world=WORLD)
    assert notices(outcome) == [("remind", "ana", "mail")]  # 17:59, still at work
    outcome = run(outcome.incident, (DUE, FRIDAY + timedelta(minutes=14)), world=WORLD)
    assert (outcome.reason, notices(outcome), journal(outcome)) == (Reason.HELD, [], ["held"])
    assert [t.at for t in outcome.incident.timers] == [NEXT_MONDAY]
    assert outcome.incident.main.state is TrackState.RUNNING
    monday = run(outcome.incident, (DUE, NEXT_MONDAY), world=WORLD)
    assert notices(monday) == [("page", "bo", "mail")]
    assert body(monday, "tier_entered")["reason"] == "timeout"


def test_a_reminder_and_a_window_put_off_together_are_one_page():
    """Two deadlines of one night are one line in the journal and one page in the morning."""
    incident = opens(FRIDAY + timedelta(minutes=7))
    incident = run(incident, (DUE, FRIDAY + timedelta(minutes=12)), world=WORLD).incident
    outcome = run(incident, (DUE, FRIDAY + timedelta(minutes=17)), world=WORLD)
    assert journal(outcome) == []
    assert notices(run(outcome.incident, (DUE, NEXT_MONDAY), world=WORLD)) == [("page", "bo", "mail")]


def test_passing_on_in_the_evening_is_heard_in_the_morning():
    """The tier that was asked for is entered, for that reason."""
    incident = opens(FRIDAY)
    outcome = run(incident, (PassOn(person="ana", via=WEB), FRIDAY + timedelta(minutes=10)), world=WORLD)
    assert (outcome.incident.main.state, notices(outcome)) == (TrackState.HELD, [])
    morning = run(outcome.incident, (DUE, NEXT_MONDAY), world=WORLD)
    assert (notices(morning), body(morning, "tier_entered")["reason"]) == ([("page", "bo", "mail")], "passed_on")


def test_a_page_under_way_goes_on_by_its_next_way():
    """A text that nobody confirms at six is followed by its fallback: that page was sent in time."""
    from tests.fakes.world import USUAL  # noqa: PLC0415 - of no use to the others

    plan = replace(USUAL, steps=(USUAL.steps[1],))
    policy = ladder(tier("ana", plan=plan), tier("bo"), hours=HOURS)
    world = at_work(policy)
    incident = opens(FRIDAY + timedelta(minutes=9, seconds=30), policy, world)
    (sent,) = incident.main.pages[0].steps
    taken = Delivery(reference=sent.reference, status=Attempt.ACCEPTED)
    incident = run(incident, (taken, FRIDAY + timedelta(minutes=9, seconds=31)), world=world).incident
    outcome = run(incident, (DUE, FRIDAY + timedelta(minutes=10, seconds=31)), world=world)
    assert notices(outcome) == [("page", "ana", "sms_backup")]


def test_an_owner_is_not_woken_for_another_alert():
    """The ack stays; on Monday the owner is paged. Two alerts are one page."""
    incident = run(opens(FRIDAY), (Ack(person="ana", via=WEB), FRIDAY), world=WORLD).incident
    night = FRIDAY + timedelta(hours=1)
    for name in ("f2", "f3"):
        outcome = run(incident, (fired(fingerprint=name, policies=(SLOW,)), night), world=WORLD)
        assert (notices(outcome), outcome.incident.main.owner) == ([], "ana")
        incident = outcome.incident
    assert violations(incident) == ()
    assert [t.at for t in incident.timers if t.kind.value == "hours_start"] == [NEXT_MONDAY]
    incident = pass_time(incident, NEXT_MONDAY - timedelta(hours=1), WORLD)
    outcome = run(incident, (DUE, NEXT_MONDAY), world=WORLD)
    assert ("page", "ana", "mail") in notices(outcome)
    assert outcome.incident.main.state is TrackState.RUNNING


def test_the_last_resort_sleeps_at_night():
    """Its beat goes on in the morning, also when somebody passes it on at night or things get worse."""
    incident = opens(FRIDAY)
    for _ in range(2):
        incident = run(incident, (PageNext(person="cy", via=WEB), FRIDAY), world=WORLD).incident
    assert incident.main.state is TrackState.LAST_RESORT
    night = FRIDAY + timedelta(minutes=30)
    incident = run(incident, (DUE, night), world=WORLD).incident
    assert [t.at for t in incident.timers if t.kind.value == "last_resort"] == [NEXT_MONDAY]
    passed = run(incident, (PassOn(person="cto", via=WEB), night), world=WORLD)
    assert (notices(passed), violations(passed.incident)) == ([], ())
    assert [t.at for t in passed.incident.timers if t.kind.value == "last_resort"] == [NEXT_MONDAY]
    by_hand = run(passed.incident, (PageNext(person="cy", via=WEB), night), world=WORLD)
    assert {kind for kind, _, _ in notices(by_hand)} == {"last_resort"}
    morning = run(passed.incident, (DUE, NEXT_MONDAY), world=WORLD)
    assert {kind for kind, _, _ in notices(morning)} == {"last_resort"}


def test_the_question_and_the_end_of_a_snooze_wait_too():
    """Whoever holds it is left in peace until the morning."""
    acked = run(opens(FRIDAY), (Ack(person="ana", via=WEB), FRIDAY), world=WORLD).incident
    (question,) = pass_time(acked, FRIDAY + timedelta(hours=25), WORLD).timers
    assert (question.kind.value, question.at) == ("ack_question", NEXT_MONDAY)
    snoozed = run(opens(FRIDAY), (Snooze(person="ana", via=WEB, seconds=3600), FRIDAY), world=WORLD).incident
    (end,) = pass_time(snoozed, FRIDAY + timedelta(hours=2), WORLD).timers
    assert (end.kind.value, end.at) == ("snooze_end", NEXT_MONDAY)


def test_a_holiday_added_meanwhile_counts():
    """The calendar is looked up when the hours begin: a day off by then is waited out."""
    off = at_work(SLOW, calendar=replace(OFFICE, holidays={MONDAY.date(): "day off"}))
    outcome = run(HELD, (DUE, MONDAY), world=off)
    assert (outcome.reason, notices(outcome)) == (Reason.HELD, [])
    assert [t.at for t in outcome.incident.timers] == [MONDAY + timedelta(days=1)]


def test_hours_that_begin_earlier_now_are_not_missed():
    """With other calendars what waits looks again when these begin, or that they have; otherwise nothing changes."""
    assert run(HELD, (HoursChanged(), T0), world=WORLD).reason is Reason.NOT_DUE
    every_day = at_work(SLOW, calendar=replace(OFFICE, hours=(Hours(start=time(9, 0), end=time(18, 0)),)))
    outcome = run(HELD, (HoursChanged(), T0), world=every_day)
    assert [t.at for t in outcome.incident.timers] == [datetime(2026, 10, 24, 9, 0, tzinfo=UTC)]
    gone = run(HELD, (HoursChanged(), T0), world=under(SLOW))
    assert [t.at for t in gone.incident.timers] == [T0]


def test_milestones_count_from_the_first_page():
    """What the hours hold, they hold too: nobody is reminded on Saturday of what they hear of on Monday."""
    policy = replace(SLOW, hash="both", milestones=Milestones(mitigate_by_seconds=7200))
    world = at_work(policy)
    incident = opens(policy=policy, world=world)
    assert {t.kind.value for t in incident.timers} == {"hours_start"}
    incident = run(incident, (DUE, MONDAY), world=world).incident
    assert [t.at for t in incident.timers if t.kind.value == "mitigate_by"] == [MONDAY + timedelta(hours=2)]


def test_what_is_mitigated_before_its_first_page_need_not_be_again():
    """Somebody fixed it over the weekend: on Monday it is paged, and no mitigation is waited for."""
    policy = replace(SLOW, hash="both", milestones=Milestones(mitigate_by_seconds=7200, resolve_by_seconds=9000))
    world = at_work(policy)
    incident = run(opens(policy=policy, world=world), (Mitigated(person="ana", via=WEB), T0), world=world).incident
    incident = run(incident, (DUE, MONDAY), world=world).incident
    assert {"mitigate_by", "resolve_by"} & {t.kind.value for t in incident.timers} == {"resolve_by"}


def test_the_forecast_says_until_when_it_is_held():
    """Explain, the page and the simulator show the very instant, by the policy's name."""
    first = forecast(HELD, WORLD, T0)[0]
    assert (first.at, first.people) == (MONDAY, ("ana",))
    assert first.what == "tier 1 ana, held until the hours of policy plain begin"


# ------------------------------------------------------------------------------------------------------ properties

ZONES = ("Europe/Madrid", "America/New_York", "Australia/Lord_Howe", "UTC", "Asia/Kathmandu", "America/Santiago")
CALENDARS = st.builds(
    Calendar,
    name=st.just("work"),
    timezone=st.sampled_from(ZONES),
    hours=st.lists(
        st.builds(
            Hours,
            days=st.frozensets(st.integers(0, 6), min_size=1),
            start=st.sampled_from([time(0, 0), time(1, 30), time(2, 0), time(2, 30), time(9, 0), time(22, 0)]),
            end=st.sampled_from([time(0, 0), time(2, 15), time(3, 0), time(6, 0), time(17, 30)]),
        ),
        min_size=1,
        max_size=2,
    ).map(tuple),
)
INSTANTS = st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)).map(lambda at: at.replace(tzinfo=UTC))  # noqa: DTZ001 - made aware at once
CHANGES = st.sampled_from(
    [
        datetime(2026, 3, 29, 1, tzinfo=UTC),
        datetime(2026, 10, 25, 1, tzinfo=UTC),
        datetime(2026, 3, 8, 7, tzinfo=UTC),
        datetime(2026, 11, 1, 6, tzinfo=UTC),
        datetime(2026, 10, 3, 15, 30, tzinfo=UTC),
    ]
)
AROUND_CHANGES = st.builds(lambda at, minutes: at + timedelta(minutes=minutes), CHANGES, st.integers(-3000, 3000))


@settings(max_examples=200, deadline=None)
@given(calendar=CALENDARS, now=INSTANTS | AROUND_CHANGES)
def test_held_work_starts_at_the_next_start_never_later_never_lost(calendar, now):
    """Whenever it opens, clock changes included: one first page, at the first working instant."""
    world = at_work(SLOW, calendar=calendar)
    outcome = run(None, (fired(policies=(SLOW,)), now), world=world)
    incident = outcome.incident
    if is_working(calendar, now):
        assert incident.main.state is TrackState.RUNNING
        return
    assert [e for e in outcome.effects if isinstance(e, Notify)] == []
    (timer,) = incident.timers
    before = timer.at - timedelta(microseconds=1)
    assert is_working(calendar, timer.at)
    assert not is_working(calendar, before)
    for part in range(1, 40):  # and nowhere in between
        assert not is_working(calendar, now + (before - now) * part / 40)
    paged = step(incident, DUE, timer.at, world)
    assert [e.kind for e in paged.effects if isinstance(e, Notify)] == [NoticeKind.PAGE]


@settings(max_examples=100, deadline=None)
@given(calendar=CALENDARS, now=AROUND_CHANGES, late=st.integers(0, 10**6))
def test_nobody_is_paged_outside_the_hours(calendar, now, late):
    """Whatever passes and however late it is looked at, a page goes out in working hours only, until a human acts."""
    world = at_work(SLOW, calendar=calendar)
    incident = opens(now, world=world)
    for _ in range(12):
        now = max(now, incident.next_due_at) + timedelta(seconds=late % 7000)
        outcome = step(incident, DUE, now, world)
        incident = outcome.incident
        assert violations(incident) == ()
        if any(isinstance(effect, Notify) for effect in outcome.effects):
            assert is_working(calendar, now)


def test_waits_until_is_asked_of_the_world_as_it_is():
    """A draft outside of any step would say the same: the rule is one function."""
    from escalatord.core.draft import Draft  # noqa: PLC0415 - of no use to the others

    assert waits_until(Draft(HELD, T0, WORLD), HELD.main) == MONDAY
    assert waits_until(Draft(HELD, T0, WORLD), HELD.main, Reason.MANUAL) is None
    assert waits_until(Draft(opened(), T0, WORLD), opened().main) is None
