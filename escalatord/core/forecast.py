"""What happens next if nobody acts: the ladder with exact instants and people.

It runs the very state machine (`escalation.step`) on the incident's own deadlines, so it cannot promise what the engine
would not do. It assumes that messages arrive: deadlines of missing receipts are left out, and with them what would
follow from a failed delivery. Overrides already made for later count; those not yet made cannot.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import islice
from typing import assert_never

from escalatord.core.escalation import step
from escalatord.core.events import Effect, Record, TimersDue
from escalatord.core.incident import Incident, Reason, Timer, TimerKind, Track, TrackState
from escalatord.core.milestones import SILENCES_BEFORE_NEXT_TIER, is_past_due
from escalatord.core.ruleset import World
from escalatord.core.schedule import OnCall, on_call
from escalatord.core.units import format_duration
from escalatord.core.values import replace

RUNGS_MAX = 20
STEPS_MAX = 200
"""Deadlines looked at; more than any ladder of `RUNGS_MAX` rungs needs."""

HOLD_ENDS = {Reason.ACK_EXPIRED: "as the ack runs out", Reason.SNOOZE_ENDED: "as the snooze ends"}
MISSED = {
    Reason.MITIGATION_DUE: "not mitigated in its time",
    Reason.UPDATE_DUE: "no update in its time",
    Reason.RESOLUTION_DUE: "not resolved in its time",
}
DETAILS = frozenset({TimerKind.REMINDER, TimerKind.PLAN_STEP})


class RungKind(StrEnum):
    """What happens at a rung."""

    TIER = "tier"
    REMINDER = "reminder"
    STEP = "step"
    ACK_QUESTION = "ack_question"
    LAST_RESORT = "last_resort"
    STATUTORY = "statutory"
    END = "end"
    MILESTONE = "milestone"
    HANDOVER = "handover"


KINDS = {
    "tier_entered": RungKind.TIER,
    "tier_repaged": RungKind.TIER,
    "reminded": RungKind.REMINDER,
    "paged_step": RungKind.STEP,
    "ack_asked": RungKind.ACK_QUESTION,
    "last_resort": RungKind.LAST_RESORT,
    "statutory": RungKind.STATUTORY,
    "milestone_missed": RungKind.MILESTONE,
    "shift_ended": RungKind.HANDOVER,
}
"""Journal kinds that a human would want to know beforehand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """One thing that will happen at the instant `at`: `what` in words, to `people` (ids), in a tier of a track."""

    at: datetime
    track: str
    tier: int
    what: str
    people: tuple[str, ...]
    kind: RungKind = RungKind.TIER


def ladder(incident: Incident, world: World, now: datetime) -> tuple[Rung, ...]:
    """Return what happens to an incident from `now` on if nobody acts, in order of time; at most `RUNGS_MAX` rungs.

    The present tier with its reminders and later contact-plan steps; then the tiers to come, repeats included, up to
    the first last resort of each track. Of a track that a human holds: the question, and who is paged when the hold
    ends.
    Of one that flaps and is quiet for now: when it is over, for nothing else happens before it fires again.
    What is overdue happens at `now`. Closed incidents have no rungs.
    """
    return tuple(islice(_rungs(incident, world, now), RUNGS_MAX))


def next_tier(incident: Incident, world: World, now: datetime, track: str) -> Rung | None:
    """Return the next entry of a tier or the last resort in `track`, None when nothing is to come."""
    wanted = (RungKind.TIER, RungKind.LAST_RESORT)
    return next((rung for rung in _rungs(incident, world, now) if rung.track == track and rung.kind in wanted), None)


def on_call_now(world: World, at: datetime) -> dict[str, tuple[OnCall, ...]]:
    """Return who is on call in each schedule at the instant `at`, overrides made at run time included."""
    return {name: on_call(schedule, at, world.overrides) for name, schedule in world.ruleset.schedules.items()}


def _rungs(incident: Incident, world: World, now: datetime) -> Iterator[Rung]:
    """Yield rungs as the state machine climbs, until nothing more is due."""
    if incident.quiet_since is not None:
        main, ends_at = incident.main, incident.next_due_at or now
        what = "over, if it stays quiet"
        yield Rung(at=max(now, ends_at), track=main.name, tier=main.tier, what=what, people=(), kind=RungKind.END)
        return
    present = {track.name: track for track in incident.tracks}
    incident = replace(incident, timers=tuple(t for t in incident.timers if t.kind is not TimerKind.RECEIPT_OVERDUE))
    for _ in range(STEPS_MAX):
        due = incident.next_due_at
        if due is None:
            return
        now = max(now, due)
        outcome = step(incident, TimersDue(), now, world)
        if outcome.incident is None or outcome.incident.timers == incident.timers:
            return
        incident = outcome.incident
        finished = set()
        for rung in _told(incident, outcome.effects, world, now):
            yield rung
            held = present[rung.track].state is TrackState.ACKNOWLEDGED
            if rung.kind is RungKind.LAST_RESORT or (held and rung.kind is RungKind.TIER):
                finished.add(rung.track)
        incident = _trimmed(incident, present, finished)


def _told(incident: Incident, effects: Sequence[Effect], world: World, now: datetime) -> Iterator[Rung]:
    """Yield the rungs of the step that led to `incident`, from what it wrote into the journal."""
    skipped: list[str] = []
    for record in effects:
        if not isinstance(record, Record):
            continue
        if record.kind == "tier_skipped":
            skipped.append(str(record.body["tier"]))
        kind = KINDS.get(record.kind)
        track = incident.track(record.track)
        if kind is None or track is None:
            continue
        what = _words(kind, record, track, incident, world)
        if skipped and kind in (RungKind.TIER, RungKind.LAST_RESORT):
            what += f" (nobody on call in tier {', '.join(skipped)})"
            skipped = []
        yield Rung(at=now, track=track.name, tier=track.tier, what=what, people=_people(kind, record, track), kind=kind)


def _words(kind: RungKind, record: Record, track: Track, incident: Incident, world: World) -> str:
    match kind:
        case RungKind.TIER:
            return _tier_words(record, track, world)
        case RungKind.LAST_RESORT:
            return f"last resort, every {format_duration(world.policy(track.policy).last_resort.every_seconds)}"
        case RungKind.REMINDER:
            return "reminder"
        case RungKind.STEP:
            return f"not acked yet: {record.body['channel']}"
        case RungKind.ACK_QUESTION:
            return "asked whether it is still in hand"
        case RungKind.STATUTORY | RungKind.END:  # the end is told of no entry
            ahead = any(t.kind is TimerKind.STATUTORY and t.track == track.name for t in incident.timers)
            return f"{record.body['regime']} clock: {'reminder' if ahead else 'the time is up'}"
        case RungKind.MILESTONE:
            return MISSED[record.reason]
        case RungKind.HANDOVER:
            return f"shift in {record.body['schedule']} over: the next one is told"
        case _:
            assert_never(kind)


def _tier_words(record: Record, track: Track, world: World) -> str:
    """Return `tier 2 secondary`, and why it is paged once more where it is."""
    rungs = world.policy(track.policy).track(track.name.rpartition(":")[2])
    words = f"tier {track.tier} {rungs.tiers[track.tier - 1].name}"
    if record.reason in HOLD_ENDS:
        return f"{words} again, {HOLD_ENDS[record.reason]}"
    if record.reason is Reason.HOURS_OPENED:
        return f"{words}, held until the hours of policy {world.policy(track.policy).name} begin"
    if record.reason is Reason.MILESTONE:
        return f"{words}, beyond the owner" if is_past_due(track) else f"{words}, before its time"
    return f"{words}, repeat {track.cycle} of {rungs.repeat}" if track.cycle else words


def _people(kind: RungKind, record: Record, track: Track) -> tuple[str, ...]:
    if kind is RungKind.STEP:
        return (record.person,)
    if kind is RungKind.HANDOVER:
        return track.heirs
    if kind is RungKind.ACK_QUESTION or (kind in (RungKind.STATUTORY, RungKind.MILESTONE) and track.owner):
        return (track.owner,)
    return tuple(page.person for page in track.pages)


def _trimmed(incident: Incident, present: Mapping[str, Track], finished: Collection[str]) -> Incident:
    """Return the incident with only the deadlines worth telling.

    A finished track keeps its legal clock; a tier that is yet to come has no reminders and plan steps.
    """

    def stays(timer: Timer) -> bool:
        track = incident.track(timer.track)
        to_come = track is not None and track.epoch != present[timer.track].epoch
        if timer.kind is TimerKind.UPDATE_EVERY and track is not None and track.silences >= SILENCES_BEFORE_NEXT_TIER:
            return False  # what follows from silence is told by now
        return timer.kind is TimerKind.STATUTORY or not (timer.track in finished or (timer.kind in DETAILS and to_come))

    return replace(incident, timers=tuple(timer for timer in incident.timers if stays(timer)))
