"""The invariants asserted before an incident is stored: each is broken once by hand and found."""

from dataclasses import replace

import pytest

from escalatord.core.alert import Severity
from escalatord.core.events import Ack, AlertSettled, PageNext, Resolve, Snooze
from escalatord.core.incident import State, Timer, TimerKind, TrackState, Via
from escalatord.core.invariants import violations
from escalatord.core.policy import OfficeHours
from tests.fakes.world import LEGAL, PAYMENTS, T0, at, at_work, ladder, opened, run, tier, under

PLAIN = ladder(tier("ana"))
WORLD = under(PLAIN)
RUNNING = opened(world=WORLD, policies=(PLAIN,))
HELD = run(RUNNING, (Ack(person="ana", via=Via.WEB), T0), world=WORLD).incident
SNOOZED = run(RUNNING, (Snooze(person="ana", via=Via.WEB, seconds=600), T0), world=WORLD).incident
RESORT = run(RUNNING, (PageNext(person="cy", via=Via.WEB), T0), world=WORLD).incident
CLOSED = run(RUNNING, (Resolve(person="ana", via=Via.WEB), T0), world=WORLD).incident
WAITING = opened(Severity.WARNING)
OFFICE = ladder(tier("ana"), hash="office", hours=OfficeHours(calendar="work"))
WAITS = opened(world=at_work(OFFICE), policies=(OFFICE,))
CALLED = run(
    opened(world=WORLD, policies=(PLAIN, LEGAL)),
    (AlertSettled(fingerprint="f1", severity=Severity.ERROR), at(1)),
    world=WORLD,
).incident
RECOVERED = run(
    opened(policies=(PAYMENTS, LEGAL)),
    (Ack(person="ana", via=Via.WEB), T0),
    (AlertSettled(fingerprint="f1", severity=Severity.ERROR), at(1)),
).incident


def also(incident, kind, track="main"):
    """Return the incident with one deadline more."""
    return replace(incident, timers=(*incident.timers, Timer(kind=kind, at=at(5), track=track)))


def but(incident, **changes):
    """Return the incident with its first track changed."""
    return replace(incident, tracks=(replace(incident.main, **changes), *incident.tracks[1:]))


def bare(incident):
    """Return the incident without deadlines."""
    return replace(incident, timers=())


@pytest.mark.parametrize(
    "incident",
    [RUNNING, HELD, SNOOZED, RESORT, CLOSED, WAITING, RECOVERED, WAITS, also(HELD, TimerKind.SHIFT_END)],
    ids=["running", "acked", "snoozed", "last resort", "closed", "waiting", "recovered", "held", "with a shift"],
)
def test_what_the_machine_makes_is_sound(incident):
    """Every kind of place an incident can be in passes."""
    assert violations(incident) == ()


LOST = "track_{}_without_its_deadline:main"


@pytest.mark.parametrize(
    ("incident", "found"),
    [
        (replace(CLOSED, timers=RUNNING.timers), ["closed_has_timers"]),
        (but(CLOSED, state=TrackState.RUNNING), ["closed_has_running_track"]),
        (replace(CLOSED, resolved_at=None), ["closed_without_instant"]),
        (bare(RUNNING), ["open_without_deadline", LOST.format("running")]),
        (also(RUNNING, TimerKind.TIER_DEADLINE), [LOST.format("running")]),
        (also(RUNNING, TimerKind.ACK_QUESTION), [LOST.format("running")]),
        (but(RUNNING, pages=()), [LOST.format("running")]),
        (but(RUNNING, owner="ana"), [LOST.format("running")]),
        (also(bare(RESORT), TimerKind.REMINDER), [LOST.format("last_resort")]),
        (also(RESORT, TimerKind.TIER_DEADLINE), [LOST.format("last_resort")]),
        (but(RESORT, owner="ana"), [LOST.format("last_resort")]),
        (also(bare(HELD), TimerKind.STATUTORY), [LOST.format("acknowledged")]),
        (also(HELD, TimerKind.ACK_EXPIRY), [LOST.format("acknowledged")]),
        (also(HELD, TimerKind.PLAN_STEP), [LOST.format("acknowledged")]),
        (also(bare(HELD), TimerKind.PLAN_STEP), [LOST.format("acknowledged")]),
        (but(HELD, owner=""), [LOST.format("acknowledged")]),
        (but(RUNNING, acks=("ana",)), ["enough_acks_and_still_climbing:main"]),
        (but(RESORT, acks=("cto",)), ["enough_acks_and_still_climbing:main"]),
        (but(RUNNING, need=3, pages=(*RUNNING.main.pages, *RESORT.main.pages), acks=("cy",)), []),
        (but(HELD, acks=("ana", "ana")), ["ack_counted_twice:main"]),
        (bare(WAITS), ["open_without_deadline", LOST.format("held")]),
        (also(WAITS, TimerKind.TIER_DEADLINE), [LOST.format("held")]),
        (but(WAITS, owner="ana"), [LOST.format("held")]),
        (but(WAITS, pages=RUNNING.main.pages), [LOST.format("held")]),
        (also(RUNNING, TimerKind.HOURS_START), [LOST.format("running")]),
        (also(CALLED, TimerKind.MITIGATE_BY), [LOST.format("ended")]),
        (replace(HELD, state=State.OPEN), ["held_but_shown_open"]),
        (replace(RUNNING, state=State.ACKNOWLEDGED), ["open_but_shown_held"]),
        (
            also(WAITING, TimerKind.REMINDER, "stakeholder"),
            ["track_waiting_without_its_deadline:stakeholder"],
        ),
        (
            also(RECOVERED, TimerKind.REMINDER, "technical"),
            ["track_ended_without_its_deadline:technical"],
        ),
    ],
)
def test_what_is_broken_is_named(incident, found):
    """Each defect is found by its own name, and nothing else is blamed."""
    assert list(violations(incident)) == found
