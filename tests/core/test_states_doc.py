"""docs/states.md shows what the machine does: its diagram is drawn from every edge that `step` is seen to take."""

import re
from collections import deque
from datetime import timedelta
from itertools import groupby
from pathlib import Path

from escalatord.core.alert import Severity
from escalatord.core.escalation import step
from escalatord.core.events import (
    Ack,
    AlertFired,
    AlertSettled,
    Delivery,
    Mitigated,
    Note,
    PageNext,
    PassOn,
    PersonGone,
    Record,
    Resolve,
    Snooze,
    TimersDue,
    Unack,
)
from escalatord.core.incident import Attempt, State, TrackState, Via
from escalatord.core.noise import Flap
from escalatord.core.policy import NEED_ALL, Milestones, OfficeHours
from escalatord.core.values import replace
from tests.fakes.world import LEGAL, T0, at_work, fired, ladder, tier, under, without

DOC = Path(__file__).parents[2] / "docs" / "states.md"
DEPTH_MAX = 6
OUTSIDE = "[*]"

RINGS = ladder(tier("ana"), tier("bo"), name="rings", hash="rings")
WAITS = replace(
    RINGS, hash="waits", tracks=(replace(RINGS.tracks[0], name="waits", when=Severity.CRITICAL),), name="waits"
)
OFFICE = replace(RINGS, name="office", hash="office", hours=OfficeHours(calendar="work", unless=Severity.CRITICAL))
HURRIED = ladder(
    tier("ana", within=600),
    tier("bo", within=600),
    name="hurried",
    hash="hurried",
    milestones=Milestones(mitigate_by_seconds=1200, update_every_seconds=300, resolve_by_seconds=3000),
)
NEEDS = ladder(tier("ana", "bo", need=NEED_ALL), name="needs", hash="needs")
POLICIES = (RINGS, WAITS, LEGAL)
FULL = at_work(OFFICE, under(HURRIED, under(NEEDS, under(LEGAL, under(WAITS, under(RINGS))))))
FLAP_SECONDS = 3600.0
DAMPED = replace(
    FULL,
    ruleset=replace(FULL.ruleset, flap=Flap(reopen_within_seconds=FLAP_SECONDS, stay_open_seconds=60)),
)
WEB = Via.WEB


HUMAN = (
    *(Ack(person=person, via=WEB, track="main") for person in ("ana", "bo", "cto")),
    *(PassOn(person=person, via=WEB, track="main") for person in ("ana", "bo", "cto")),
    *(PersonGone(person=person) for person in ("ana", "bo", "cto")),
    Unack(person="ana", via=WEB, track="main"),
    PageNext(person="cy", via=WEB, track="main"),
    Snooze(person="ana", via=WEB, seconds=600, track="main"),
    Ack(person="bo", via=WEB, track="past due:main"),
    Note(person="ana", via=WEB, text="looking"),
    Mitigated(person="ana", via=WEB),
    Resolve(person="cy", via=WEB, decision="not reportable"),
)


def machine(incident):
    """Return what alerts, providers and the clock can say of an incident."""
    yield fired(fingerprint="new", severity=incident.severity, policies=POLICIES)
    if incident.severity is not Severity.CRITICAL:
        yield fired(severity=Severity.CRITICAL, previous=incident.severity, policies=POLICIES)
    yield AlertSettled(fingerprint="f1", severity=incident.severity)
    yield TimersDue()
    for page in incident.main.pages:
        for one in page.steps:
            yield Delivery(reference=one.reference, status=Attempt.FAILED_PERMANENT)


def place(incident, world):
    """Return where an incident is, for the search: two incidents of one place take the same edges."""
    main = incident.main
    states = tuple(track.state for track in incident.tracks)
    missed = tuple((page.person, *(step.status for step in page.steps)) for page in main.pages)
    holds = frozenset(timer.kind for timer in incident.timers if timer.track == main.name)
    overdue = tuple((track.overdue, track.silences) for track in incident.tracks)
    told = (incident.severity, sum(incident.firing) > 1, incident.mitigated_at is None, overdue)
    return states, main.tier, main.owner, main.need, main.acks, missed, holds, told, id(world)


def observed():
    """Return every edge (from, to, reason) that a track takes, searching all that can happen to an incident."""
    edges, seen, queue = set(), set(), deque()
    gone = (FULL, DAMPED, without("ana", world=FULL), without("ana", "bo", world=FULL))
    begins = [(policies, world) for policies in (POLICIES, POLICIES[:2], (NEEDS,)) for world in gone]
    for policies, world in (*begins, *(((*one,), FULL) for one in ((OFFICE,), (OFFICE, LEGAL), (HURRIED,)))):
        begun = step(None, fired(policies=policies), T0, world)
        edges |= {(OUTSIDE, track.state.value, "opened") for track in begun.incident.tracks}
        queue.append((begun.incident, T0, world, 0))
    while queue:
        incident, now, world, depth = queue.popleft()
        if incident.stood is not None and depth < DEPTH_MAX:  # over, and it fires again at once, or after its deadlines
            for later in (timedelta(0), timedelta(seconds=FLAP_SECONDS)):
                event = fired(severity=incident.severity, again=True, policies=POLICIES[:2])
                edges |= set(taken(incident, event, step(incident, event, now + later, world)))
        if incident.state is State.RESOLVED or depth == DEPTH_MAX or (where := place(incident, world)) in seen:
            continue
        seen.add(where)
        for event in (*HUMAN, *machine(incident)):
            at = max(now, incident.next_due_at) if isinstance(event, TimersDue) else now
            outcome = step(incident, event, at, world)
            edges |= set(taken(incident, event, outcome))
            queue.append((outcome.incident, at, world, depth + 1))
    return edges


def taken(before, event, outcome):
    """Return the edges that one step took, with the reason that its journal gives for each track."""
    for old, new in zip(before.tracks, outcome.incident.tracks, strict=True):
        if (old.state, old.epoch) != (new.state, new.epoch):
            told = [e.reason for e in outcome.effects if isinstance(e, Record) and e.track == new.name]
            by_journal = told and not isinstance(event, AlertFired)
            yield old.state.value, new.state.value, (told[-1] if by_journal else outcome.reason).value


def diagram(edges):
    """Return the lines of a Mermaid state diagram, one arrow for each pair of states."""
    order = [OUTSIDE, *(state.value for state in TrackState)]
    lines = ["stateDiagram-v2"]
    in_order = sorted(edges, key=lambda edge: (order.index(edge[0]), order.index(edge[1]), edge[2]))
    for (start, end), group in groupby(in_order, key=lambda edge: edge[:2]):
        lines.append(f"    {start} --> {end}: {', '.join(reason for _, _, reason in group)}")
    return [*lines, f"    {TrackState.ENDED} --> {OUTSIDE}"]


EDGES = observed()


def test_the_diagram_is_what_the_machine_does():
    """The arrows in the document are those that were observed, no more and no fewer."""
    (drawn,) = re.findall(r"```mermaid\n(.*?)\n```", DOC.read_text(), re.DOTALL)
    assert diagram(EDGES) == drawn.splitlines(), "\n".join(diagram(EDGES))


def test_every_word_on_an_arrow_is_explained():
    """The table below the diagram has a row for each reason in it, and for nothing else."""
    rows = set(re.findall(r"^\| `(\w+)` \|", DOC.read_text(), re.MULTILINE))
    assert {reason for _, _, reason in EDGES} == rows


def test_a_track_never_ends_up_nowhere():
    """From every state a track can get to every state it should: into a human's hands, and to its end."""
    onward = {start: {end for one, end, _ in EDGES if one == start} for start, _, _ in EDGES}
    assert onward["running"] == {"waiting", "held", "running", "acknowledged", "last_resort", "ended"}
    assert onward["last_resort"] == {"waiting", "last_resort", "acknowledged", "ended"}
    assert onward["acknowledged"] == {"waiting", "held", "running", "last_resort", "ended"}
    assert onward["waiting"] == {"running", "last_resort", "ended"}
    assert onward["held"] == {"running", "acknowledged", "last_resort", "ended"}
    assert set(onward) == {OUTSIDE, *(state.value for state in TrackState)}


def test_only_humans_and_recovery_stop_the_ringing():
    """No timeout, no provider and no failure leads into a human's hands or to the end, out of anything that rings.

    When somebody leaves of whom an ack was wanted, those who have acked are enough: a human had acted before.
    """
    quieting = {reason for start, end, reason in EDGES if end in ("acknowledged", "ended") and start != "ended"}
    assert {reason for start, end, reason in EDGES if (start, end) == ("ended", "acknowledged")} == {"reopened"}
    assert quieting == {
        "acknowledged",
        "acknowledged_late",
        "snoozed",
        "person_removed",
        "resolved",
        "recovered",
        "recovered_compliance_open",
    }
    assert {reason for start, end, reason in EDGES if end == "waiting" and start not in (OUTSIDE, "ended")} == {
        "mitigated",
        "noted",
    }
