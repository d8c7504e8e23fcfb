"""Moving a running incident onto the policies as they are now: explicit, recorded, and never to anybody's surprise.

- A track goes to the tier of the same name, else of the same number, else to the last one. Nobody is paged for that.
- No deadline becomes later than it was. A hold that is shorter now ends earlier by the difference; a milestone, a
  reminder or a later step of a contact plan is taken from the new policy where it comes sooner or is new.
- No track is lost: one that is no longer in its policy, whose kind changed, or whose statutory clock would become
  another or a later one, stays pinned as it was. So do all when their policy is gone.
- Tracks that are new start if the incident is bad enough for them.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import assert_never

from escalatord.core import milestones
from escalatord.core.climb import enter
from escalatord.core.difference import policy_changes
from escalatord.core.draft import Draft
from escalatord.core.events import Rebase
from escalatord.core.hours import waits_until, what_waits
from escalatord.core.incident import Attempt, Page, Reason, StepProgress, Timer, TimerKind, Track, TrackState
from escalatord.core.policy import ContactPlan, Milestones, Policy, TrackKind, TrackPolicy
from escalatord.core.starting import climbers_of, start, tracks_of
from escalatord.core.values import replace

CHANGES_TOLD_MAX = 20


def move(draft: Draft, event: Rebase) -> Reason:
    """Pin the tracks of an incident to the policies in force; SAME_POLICY when they are already."""
    draft.actor, draft.via = event.person, event.via
    current = {policy.name: policy for policy in event.policies}
    pinned = {track.policy: draft.world.policy(track.policy) for track in draft.incident.tracks}
    turns = {old.hash: current[old.name] for old in pinned.values() if old.name in current}
    why_not = {track.name: _why_not(draft, track, turns.get(track.policy)) for track in draft.incident.tracks}
    kept = {name: why for name, why in why_not.items() if why}
    moving = [t for t in draft.incident.tracks if t.name not in kept and turns[t.policy].hash != t.policy]
    if not moving:
        return Reason.SAME_POLICY
    for track in moving:
        _move(draft, track, turns[track.policy])
    started = _add_tracks(draft, turns)
    draft.incident = replace(
        draft.incident, confidential=draft.incident.confidential or any(new.confidential for new in turns.values())
    )
    told = [
        " ".join(filter(None, (f"{change.what}:", change.before, "→" if change.before else "", change.after)))
        for old, new in turns.items()
        for change in policy_changes(pinned[old], new)
    ]
    draft.record(
        "rebased",
        Reason.REBASED,
        person=event.person,
        body={
            "via": event.via.value,
            "from": {old: pinned[old].name for old in turns},
            "to": {new.hash: new.name for new in turns.values()},
            "changes": told[:CHANGES_TOLD_MAX],
            "kept": kept,
            "started": started,
        },
    )
    return Reason.REBASED


def _why_not(draft: Draft, track: Track, new: Policy | None) -> str:
    """Return why a track stays pinned as it was, "" when it may move."""
    if new is None:
        return "its policy is gone"
    old = draft.policy_of(track)
    ladder = next((one for one in new.tracks if one.name == track.name.rpartition(":")[2]), None)
    if ladder is None:
        return "its policy has no such track any more"
    if ladder.kind is not draft.ladder_of(track).kind:
        return f"it would become {ladder.kind}"
    if ladder.kind is TrackKind.COMPLIANCE and old.compliance is not None:
        clock = new.compliance
        if clock is None or clock.regime != old.compliance.regime:
            return "its statutory clock would be another"
        if clock.due_seconds > old.compliance.due_seconds:
            return "its statutory clock would end later"
    return ""


def _move(draft: Draft, track: Track, new: Policy) -> None:
    old, ladder_before = draft.policy_of(track), draft.ladder_of(track)
    plan_before = draft.plan_of(track) if track.pages else None
    given_before = milestones.milestones_of(draft, track)
    ladder = new.track(ladder_before.name)
    tier = _same_tier(ladder_before, ladder, track.tier)
    pages = tuple(replace(page, tier=tier) for page in track.pages)
    moved = draft.put(
        replace(
            track,
            policy=new.hash,
            tier=tier,
            top=max(tier, min(track.top, len(ladder.tiers))),
            cycle=min(track.cycle, ladder.repeat),
            pages=pages,
        )
    )
    if plan_before is not None and plan_before.steps != draft.plan_of(moved).steps:
        _replan(draft, moved, draft.plan_of(moved))
    match track.state:
        case TrackState.WAITING:
            start(draft, moved, 1, draft.incident.cause, Reason.REBASED)
        case TrackState.HELD:
            _wait_on(draft, moved, ladder_before)
        case TrackState.RUNNING:
            _window(draft, moved)
        case TrackState.LAST_RESORT:
            every = timedelta(seconds=new.last_resort.every_seconds)
            _sooner(draft, moved.name, TimerKind.LAST_RESORT, draft.now + every)
        case TrackState.ACKNOWLEDGED:
            severity = draft.incident.severity
            less = timedelta(seconds=max(0.0, old.ack_hold(severity) - new.ack_hold(severity)))
            _sooner_by(draft, moved.name, TimerKind.ACK_QUESTION, less)
        case TrackState.ENDED:
            pass
        case _:
            assert_never(track.state)
    _statutory(draft, moved)
    _milestones(draft, moved.name, given_before)


def _same_tier(before: TrackPolicy, after: TrackPolicy, tier: int) -> int:
    """Return which tier of another ladder stands for one: that of its name, else of its number, else the last."""
    if 1 <= tier <= len(before.tiers):
        name = before.tiers[tier - 1].name
        found = next((number for number, one in enumerate(after.tiers, start=1) if one.name == name), None)
        if found is not None:
            return found
    return min(tier, len(after.tiers))


# ---------------------------------------------------------------------------------------------------- deadlines


def _sooner(draft: Draft, track: str, kind: TimerKind, at: datetime) -> None:
    """Let a track's deadlines of a kind pass at `at` at the latest, but not before now."""
    for timer in _timers(draft, track, kind):
        draft.disarm(track, (kind,), timer.subject)
        draft.arm_at(kind, min(timer.at, max(at, draft.now)), track, timer.subject)


def _sooner_by(draft: Draft, track: str, kind: TimerKind, less: timedelta) -> None:
    for timer in _timers(draft, track, kind):
        _sooner(draft, track, kind, timer.at - less)


def _window(draft: Draft, track: Track) -> None:
    """Let the window of a tier, and its reminders, be those of the new ladder, counted from its entry."""
    entered = track.entered_at or draft.now
    _sooner(
        draft,
        track.name,
        TimerKind.TIER_DEADLINE,
        entered + timedelta(seconds=draft.window_seconds(track, track.tier)),
    )
    ends = draft.deadline_of(track.name) or draft.now
    draft.disarm(track.name, (TimerKind.REMINDER,))
    for after in draft.ladder_of(track).tiers[track.tier - 1].remind_seconds:
        at = entered + timedelta(seconds=after)
        if draft.now < at < ends:
            draft.arm_at(TimerKind.REMINDER, at, track.name)


def _wait_on(draft: Draft, track: Track, before: TrackPolicy) -> None:
    """Let a track that waits for office hours wait for those of the new policy, never longer than it would have."""
    (timer,) = _timers(draft, track.name, TimerKind.HOURS_START)
    tier, reason = what_waits(timer)
    ladder = draft.ladder_of(track)
    tier = tier if tier > len(before.tiers) else max(1, _same_tier(before, ladder, tier))
    until = waits_until(draft, track)
    if until is None:
        enter(draft, track, tier, Reason.REBASED)
        milestones.begin(draft, track.name)
        return
    draft.disarm(track.name, (TimerKind.HOURS_START,))
    draft.arm_at(TimerKind.HOURS_START, min(timer.at, until), track.name, f"{tier}/{reason}")


def _statutory(draft: Draft, track: Track) -> None:
    """Let a legal clock, and its reminders, be the new one where that comes sooner."""
    clock = draft.policy_of(track).compliance
    known = _timers(draft, track.name, TimerKind.STATUTORY)
    if clock is None or not known:
        return
    opened = draft.incident.opened_at
    ends = max(draft.now, opened + timedelta(seconds=clock.due_seconds))
    wanted = {opened + timedelta(seconds=seconds) for seconds in clock.remind_seconds} | {t.at for t in known}
    draft.disarm(track.name, (TimerKind.STATUTORY,))
    for at in sorted({at for at in wanted if draft.now < at < ends} | {ends}):
        draft.arm_at(TimerKind.STATUTORY, at, track.name, clock.regime)


def _milestones(draft: Draft, name: str, before: Milestones) -> None:
    """Let milestones be the new ones where these come sooner or are new; one that has passed does not come back."""
    track = draft.track(name)
    if track.state not in (TrackState.RUNNING, TrackState.LAST_RESORT, TrackState.ACKNOWLEDGED):
        return
    given = milestones.milestones_of(draft, track)
    begun = track.started_at or draft.incident.opened_at
    draft.put(replace(track, started_at=begun))
    over = {TimerKind.MITIGATE_BY} if draft.incident.mitigated_at is not None else set()
    for kind, was, seconds in (
        (TimerKind.MITIGATE_BY, before.mitigate_by_seconds, given.mitigate_by_seconds),
        (TimerKind.RESOLVE_BY, before.resolve_by_seconds, given.resolve_by_seconds),
    ):
        if seconds is None:
            continue
        at = begun + timedelta(seconds=seconds)
        if _timers(draft, name, kind):
            _sooner(draft, name, kind, at)
        elif was is None and kind not in over:
            draft.arm_at(kind, max(at, draft.now), name)
    if track.state is not TrackState.ACKNOWLEDGED or given.update_every_seconds is None:
        return
    if _timers(draft, name, TimerKind.UPDATE_EVERY):
        _sooner(draft, name, TimerKind.UPDATE_EVERY, draft.now + timedelta(seconds=given.update_every_seconds))
    else:
        milestones.expect_updates(draft, name)


def _timers(draft: Draft, track: str, kind: TimerKind) -> list[Timer]:
    return [timer for timer in draft.incident.timers if timer.track == track and timer.kind is kind]


# ------------------------------------------------------------------------------------------------ contact plans


def _replan(draft: Draft, track: Track, plan: ContactPlan) -> None:
    """Let people who are being paged be reached by another plan: what was sent stays sent, what is missing follows."""
    pages = []
    for page in track.pages:
        waiting: dict[str, list[datetime]] = {}
        for timer in _timers(draft, track.name, TimerKind.PLAN_STEP):
            person, _, index = timer.subject.rpartition("/")
            if person == page.person:
                waiting.setdefault(page.steps[int(index)].channel, []).append(timer.at)
                draft.disarm(track.name, (TimerKind.PLAN_STEP,), timer.subject)
        steps, places = _carried(page, plan)
        for timer in _timers(draft, track.name, TimerKind.RECEIPT_OVERDUE):
            person, _, index = timer.subject.rpartition("/")
            if person == page.person:
                draft.disarm(track.name, (TimerKind.RECEIPT_OVERDUE,), timer.subject)
                draft.arm_at(timer.kind, timer.at, track.name, f"{person}/{places[int(index)]}")
        for place, step in enumerate(plan.steps):
            if track.state in (TrackState.RUNNING, TrackState.LAST_RESORT) and _is_to_come(steps[place]):
                at = min([page.at + timedelta(seconds=step.after_seconds), *waiting.get(step.by, ())])
                draft.arm_at(TimerKind.PLAN_STEP, max(at, draft.now), track.name, f"{page.person}/{place}")
        pages.append(replace(page, steps=steps))
    draft.put(replace(draft.track(track.name), pages=tuple(pages)))


def _carried(page: Page, plan: ContactPlan) -> tuple[tuple[StepProgress, ...], Mapping[int, int]]:
    """Return a page's progress by the steps of another plan, and where what was sent went.

    What went out by a channel is the first step by it; what no step stands for is kept behind them.
    """
    left = [index for index, step in enumerate(page.steps) if not _is_to_come(step)]
    steps: list[StepProgress] = []
    places: dict[int, int] = {}
    for place, step in enumerate(plan.steps):
        found = next((index for index in left if page.steps[index].channel in (step.by, *step.if_failed)), None)
        if found is None:
            steps.append(StepProgress(channel=step.by))
            continue
        left.remove(found)
        places[found] = place
        steps.append(page.steps[found])
    for index in left:
        places[index] = len(steps)
        steps.append(page.steps[index])
    return tuple(steps), places


def _is_to_come(step: StepProgress) -> bool:
    return not step.reference and step.status is Attempt.PENDING


# -------------------------------------------------------------------------------------------------- new tracks


def _add_tracks(draft: Draft, turns: Mapping[str, Policy]) -> list[str]:
    """Add the tracks that the policies have now and the incident has not; return the names of those that started."""
    present = {(draft.policy_of(track).name, draft.ladder_of(track).name) for track in draft.incident.tracks}
    for new in {new.hash: new for new in turns.values()}.values():
        missing = tuple(ladder for ladder in new.tracks if (new.name, ladder.name) not in present)
        fresh = tracks_of((replace(new, tracks=missing),), draft.incident.tracks) if missing else []
        draft.incident = replace(draft.incident, tracks=(*draft.incident.tracks, *fresh))
        for track in fresh:
            start(draft, track, 1, draft.incident.cause, Reason.REBASED)
    pinned = {track.policy: draft.policy_of(track) for track in draft.incident.tracks}
    climbers = climbers_of(draft.incident.tracks, pinned)
    draft.incident = replace(draft.incident, tracks=(*draft.incident.tracks, *climbers))
    return [
        track.name
        for track in draft.incident.tracks
        if (draft.policy_of(track).name, draft.ladder_of(track).name) not in present
        and track.state is not TrackState.WAITING
    ]
