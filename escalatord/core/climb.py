"""Climbing: entering tiers, walking contact plans, and the last resort.

- People are looked up when a tier is entered. An empty tier uses its backup, else the next tier in the same step.
- A repeat starts again at tier 1; when repeats are used up, the last resort is paged over and over until a human acts.
- A contact plan's step goes out at once or `after` a while without ack; a failed step uses its `if_failed` channels,
  then pulls the person's next step forward; when nobody of a tier was reached by anything, the next tier is entered.
  Accepted without a receipt in time is not reached.
- Paging the same people again takes back what is still unsent, so that a slow provider does not deliver it twice.
- A last resort that nothing carried is tried again soon, not after its whole period.
- Outside the office hours of its policy a tier is not entered but waited for (see `hours`).
- Nobody left anywhere: the policy's owner, else every reachable person. No path ends silently.
"""

from datetime import datetime

from escalatord.core import hours
from escalatord.core.choosing import Chosen, choose, stand_ins
from escalatord.core.draft import Draft
from escalatord.core.incident import (
    Attempt,
    NoticeKind,
    Page,
    Reason,
    StepProgress,
    Timer,
    TimerKind,
    Track,
    TrackState,
)
from escalatord.core.paging import first_usable, page_all, page_more, plan_channels, put_step, send
from escalatord.core.policy import NEED_FIRST, Target, TargetKind
from escalatord.core.roster import Candidate, resolve
from escalatord.core.tasks import ask
from escalatord.core.values import replace

REPAGED = frozenset(
    {
        Reason.ACK_EXPIRED,
        Reason.UNACKNOWLEDGED,
        Reason.SNOOZE_ENDED,
        Reason.SEVERITY_RAISED,
        Reason.NEW_ALERT_AFTER_ACK,
        Reason.PERSON_REMOVED,
        Reason.REOPENED,
    }
)

UNHEARD_AGAIN_SECONDS = 60.0
"""How long after a last resort that reached nobody (all providers down) it is tried again."""


def climb(draft: Draft, track: Track, reason: Reason) -> None:
    """Leave the track's tier for the next one that has somebody, or for the last resort."""
    if track.state is TrackState.LAST_RESORT:
        _last_resort_again(draft, track, reason)
    else:
        enter(draft, track, track.tier + 1, reason)


def enter(draft: Draft, track: Track, tier: int, reason: Reason) -> None:
    """Enter `tier` of a track, or the first after it that has somebody; outside office hours, when they begin."""
    until = hours.waits_until(draft, track, reason)
    if until is not None:
        hours.hold(draft, track, tier, until, reason)
        return
    tiers = draft.ladder_of(track).tiers
    came_from = track.tier
    cycle, skipped = track.cycle, 0
    while True:
        if tier > len(tiers):
            # what climbs for somebody's delay has no business below them
            if track.spared or cycle >= draft.ladder_of(track).repeat or skipped >= len(tiers):
                draft.record("exhausted", Reason.EXHAUSTED, track)
                last_resort(draft, replace(track, cycle=cycle), Reason.EXHAUSTED)
                return
            cycle, tier = cycle + 1, 1
            continue
        chosen, target = _people_of(draft, track, tier)
        if chosen.people:
            moved = replace(track, tier=tier, cycle=cycle, state=TrackState.RUNNING)
            _settle_in(draft, moved, chosen, reason, came_from)
            return
        draft.record(
            "tier_skipped",
            Reason.NOBODY_ON_CALL,
            track,
            body={"tier": tier, "reason": "nobody_on_call", "targets": target, **chosen.facts},
        )
        reason, skipped, tier = Reason.NOBODY_ON_CALL, skipped + 1, tier + 1


def enter_all(draft: Draft, track: Track, reason: Reason) -> None:
    """Enter every tier at once: the last one's window and plan, everybody's people."""
    tiers = draft.ladder_of(track).tiers
    candidates: dict[str, Candidate] = {}
    for tier in range(1, len(tiers) + 1):
        chosen, _ = _people_of(draft, track, tier, by_plan_of=len(tiers))
        for candidate in (*chosen.people, *chosen.others):
            candidates.setdefault(candidate.person, candidate)
    if not candidates:
        enter(draft, track, len(tiers) + 1, reason)
        return
    moved = replace(track, tier=len(tiers), state=TrackState.RUNNING)
    _settle_in(draft, moved, Chosen(people=tuple(candidates.values())), reason, 0)
    ask(draft, moved, [action for tier in tiers for action in tier.on_enter], reason)


def enter_again(draft: Draft, track: Track, reason: Reason) -> None:
    """Page the present tier once more (an ack ended, was taken back, or things got worse); it never adds time."""
    if track.state is TrackState.LAST_RESORT:
        _last_resort_again(draft, track, reason)
        return
    deadline = draft.deadline_of(track.name)
    draft.withdraw(track.name)
    enter(draft, track, track.tier, reason)
    here = draft.track(track.name)
    if deadline is not None and (here.tier, here.cycle) == (track.tier, track.cycle):  # another tier has its own window
        draft.cap_deadline(track.name, deadline)


def page_owner_again(draft: Draft, track: Track, reason: Reason) -> None:
    """Page the one who acked; the tier's window runs again, then the next tier follows. Office hours may hold it."""
    until = hours.waits_until(draft, track, reason)
    if until is not None:
        hours.hold_owner(draft, track, until, reason)
        return
    plan = draft.plan_of(replace(track, state=TrackState.RUNNING))
    found = resolve((Target(TargetKind.PERSON, track.owner),), draft.world, draft.now, plan_channels(plan)).people
    moved = replace(track, state=TrackState.RUNNING)
    if not found:
        enter_again(draft, moved, reason)
        return
    _settle_in(draft, moved, Chosen(people=found), reason, track.tier)


def last_resort(draft: Draft, track: Track, reason: Reason) -> None:
    """Page the last resort, and again every so often until a human acts."""
    policy = draft.policy_of(track)
    if track.state is TrackState.LAST_RESORT:
        draft.withdraw(track.name)
    track = replace(_entered(track, draft.now), state=TrackState.LAST_RESORT, tier=len(draft.ladder_of(track).tiers))
    draft.disarm(track.name)
    candidates = anybody(draft, track)
    track = page_all(draft, track, candidates, NoticeKind.LAST_RESORT, reason)
    draft.put(track)
    draft.arm(TimerKind.LAST_RESORT, policy.last_resort.every_seconds, track.name)
    draft.record(
        "last_resort",
        reason,
        track,
        body={"people": [page.person for page in track.pages], "late": draft.late},
    )


def go_on(draft: Draft, track: Track, page: Page, index: int) -> None:
    """Go on after the step at `index` did not reach the person: its next `if_failed` channel, else their next step.

    Steps before their time are pulled forward. When nobody of the tier was reached by anything, the next is entered.
    """
    steps = draft.steps_of(track, page)
    progress = page.steps[index]
    usable = [spec.name for spec in draft.usable_by(page.person)]
    step = steps[index] if index < len(steps) else None
    fallbacks = step.if_failed[progress.fallback :] if step else ()
    for used, channel in enumerate(fallbacks, start=progress.fallback + 1):
        if channel in usable:
            send(draft, track, (page.person, index), (channel, used), Reason.FALLBACK)
            return
    waiting = [
        (t.at, int(t.subject.rpartition("/")[2]))
        for t in draft.incident.timers
        if t.kind is TimerKind.PLAN_STEP and t.track == track.name and t.subject.rpartition("/")[0] == page.person
    ]
    if waiting:
        send_step(draft, track, page.person, min(waiting)[1])
        return
    climb_if_unreached(draft, track)


def climb_if_unreached(draft: Draft, track: Track) -> None:
    """Enter the next tier when nobody of this one was reached by anything; the last resort has its own beat.

    Who has acked is not waited for; who stands in for somebody chosen is paged first.
    """
    waited_for = [page for page in track.pages if page.person not in track.acks]
    if all(_missed(draft, track, page, index) for page in waited_for for index in range(len(page.steps))):
        if stand_in(draft, track):
            return
        draft.record("not_reached", Reason.NOT_REACHED, track)
        if track.state is TrackState.RUNNING:
            climb(draft, track, Reason.NOT_REACHED)
        elif all(step.status is Attempt.FAILED_PERMANENT for page in track.pages for step in page.steps):
            _retry_last_resort_soon(draft, track)


def stand_in(draft: Draft, track: Track) -> bool:
    """Page whoever stands in for those whom a tier chose and who cannot be reached; False when there is nobody."""
    if track.state is not TrackState.RUNNING:
        return False
    rung = draft.ladder_of(track).tiers[track.tier - 1]
    others = stand_ins(draft, track, rung, plan_channels(draft.plan_of(track)))
    if others:
        page_more(draft, track, others, Reason.NOT_REACHED)
    return bool(others)


def send_step(draft: Draft, track: Track, person: str, index: int) -> None:
    """Send one step of a person's plan now (its time came, or the step before it failed)."""
    draft.disarm(track.name, (TimerKind.PLAN_STEP,), f"{person}/{index}")
    page = next(page for page in track.pages if page.person == person)
    step = draft.steps_of(track, page)[index]
    chosen = first_usable(step, [spec.name for spec in draft.usable_by(person)])
    if chosen is None:
        failed = StepProgress(channel=step.by, fallback=len(step.if_failed), status=Attempt.FAILED_PERMANENT)
        track = put_step(draft, track, person, index, failed)
        go_on(draft, track, next(page for page in track.pages if page.person == person), index)
        return
    send(draft, track, (person, index), chosen, Reason.PLAN_STEP)


def has_somebody(draft: Draft, track: Track, tier: int) -> bool:
    """Return whether anybody in a tier can be paged, whom the track does not spare."""
    return bool(_people_of(draft, track, tier)[0].people)


def anybody(draft: Draft, track: Track) -> tuple[Candidate, ...]:
    """Return the last resort's people, else the policy's owner, else everyone who can be reached."""
    policy = draft.policy_of(track)
    channels = plan_channels(policy.last_resort.plan)
    everyone = tuple(Target(TargetKind.PERSON, name) for name in draft.world.ruleset.people)
    for targets in (policy.last_resort.page, (policy.owner,) if policy.owner else (), everyone):
        found = resolve(targets, draft.world, draft.now, channels).people
        if found:
            return _spare(track, found) or found
    return ()


# ------------------------------------------------------------------------------------------------------- private


def _last_resort_again(draft: Draft, track: Track, reason: Reason) -> None:
    """Page the last resort once more, at the start of the office hours when it is not to be paged outside them."""
    until = hours.waits_until(draft, track, reason)
    if until is None:
        last_resort(draft, track, reason)
        return
    draft.disarm(track.name, (TimerKind.LAST_RESORT,))
    hours.put_off(draft, track, Timer(kind=TimerKind.LAST_RESORT, at=draft.now, track=track.name), until)


def _retry_last_resort_soon(draft: Draft, track: Track) -> None:
    """Nothing carried the last resort: its period is for people who were told, so do not sit it out in silence.

    What a provider took does not count, receipt or none: receipts that cannot reach us must not multiply pages.
    """
    every_seconds = draft.policy_of(track).last_resort.every_seconds
    draft.disarm(track.name, (TimerKind.LAST_RESORT,))
    draft.arm(TimerKind.LAST_RESORT, min(every_seconds, UNHEARD_AGAIN_SECONDS), track.name)


def _people_of(draft: Draft, track: Track, tier: int, by_plan_of: int = 0) -> tuple[Chosen, str]:
    """Return who of a tier can be reached by its plan (or that of another tier), and its targets in words."""
    rung = draft.ladder_of(track).tiers[tier - 1]
    channels = plan_channels(draft.plan_of(replace(track, tier=by_plan_of or tier, state=TrackState.RUNNING)))
    return choose(draft, rung, channels, track.spared), ", ".join(map(str, (*rung.page, *rung.backup)))


def _spare(track: Track, people: tuple[Candidate, ...]) -> tuple[Candidate, ...]:
    """Return whom a track pages: not the one whose own delay it climbs for."""
    return tuple(one for one in people if one.person != track.spared) if track.spared else people


def _entered(track: Track, now: datetime) -> Track:
    """Return the track at the beginning of a new epoch, in nobody's hands."""
    left_early = track.acks if not track.owner else ()
    helping = tuple(dict.fromkeys((*track.helping, *left_early)))
    return replace(
        hours.released(track, now),
        epoch=track.epoch + 1,
        entered_at=now,
        heirs=(),
        silences=0,
        need=NEED_FIRST,
        acks=(),
        helping=helping,
        owner="",
        acked_at=None,
        acked_via=None,
        acked_tier=0,
    )


def _settle_in(draft: Draft, track: Track, chosen: Chosen, reason: Reason, came_from: int) -> None:
    """Be at a tier: its pages, its window, its reminders, its entry in the journal."""
    rung = draft.ladder_of(track).tiers[track.tier - 1]
    first = track.tier > track.top
    posted = bool(track.told)
    track = replace(_entered(track, draft.now), top=max(track.top, track.tier), need=rung.need)
    draft.disarm(track.name)
    window = draft.window_seconds(track, track.tier)
    track = draft.put(page_all(draft, track, chosen.people, NoticeKind.PAGE, reason))
    draft.arm(TimerKind.TIER_DEADLINE, window, track.name)
    for after in rung.remind_seconds:
        if after < window:
            draft.arm(TimerKind.REMINDER, after, track.name)
    if posted:
        draft.refresh_rooms(track, reason)
    draft.record(
        "tier_repaged" if reason in REPAGED and not first else "tier_entered",
        reason,
        track,
        body={
            "to_tier": track.tier,
            "from_tier": came_from,
            "cycle": track.cycle,
            "first": first,
            "seconds": draft.open_seconds,
            "people": [page.person for page in track.pages],
            "targets": [page.target for page in track.pages],
            "within_seconds": window,
            "held_seconds": track.held_seconds,
            "late": draft.late,
            "lateness_seconds": draft.lateness_seconds,
            **chosen.facts,
        },
    )
    if reason not in REPAGED:
        ask(draft, track, rung.on_enter, reason)


def _missed(draft: Draft, track: Track, page: Page, index: int) -> bool:
    """Return whether a step has failed for good: refused, or accepted with no receipt in its time."""
    step = page.steps[index]
    if step.status is Attempt.ACCEPTED and draft.has_receipts(step.channel):
        return not draft.is_armed(TimerKind.RECEIPT_OVERDUE, track.name, f"{page.person}/{index}")
    return step.status is Attempt.FAILED_PERMANENT
