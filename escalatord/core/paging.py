"""Paging people by their contact plans: who is sent what now, what waits for its time, what is known of each step.

A page sends every step that is due at once and leaves the others to their deadlines. Each is sent by the first of its
channels that reaches the person. What to do about failures is decided in `climb`.
"""

from collections.abc import Sequence

from escalatord.core.choosing import by_own_plan
from escalatord.core.draft import Draft
from escalatord.core.incident import (
    Attempt,
    NoticeKind,
    Page,
    Reason,
    StepProgress,
    TimerKind,
    Track,
    TrackState,
)
from escalatord.core.policy import ContactPlan, PlanStep, channels_of
from escalatord.core.roster import Candidate
from escalatord.core.values import replace


def page_more(draft: Draft, track: Track, people: Sequence[Candidate], reason: Reason) -> None:
    """Page further people (or somebody once more) where a track is; its window goes on."""
    paged = page_all(draft, track, people, NoticeKind.PAGE, reason)
    names = [page.person for page in paged.pages]
    stay = tuple(page for page in track.pages if page.person not in names)
    track = draft.put(replace(paged, pages=(*stay, *paged.pages)))
    draft.record("paged_more", reason, track, body={"people": names})


def page_all(draft: Draft, track: Track, people: Sequence[Candidate], kind: NoticeKind, reason: Reason) -> Track:
    """Page people where a track is and return it with their pages and no others; it is for the caller to keep."""
    plan = draft.plan_of(track)
    pages = []
    for candidate in [by_own_plan(draft, each, plan) for each in people]:
        steps = []
        for index, step in enumerate(candidate.plan or plan.steps):
            if step.after_seconds > 0:
                steps.append(StepProgress(channel=step.by))
                draft.arm(TimerKind.PLAN_STEP, step.after_seconds, track.name, f"{candidate.person}/{index}")
                continue
            chosen = first_usable(step, candidate.channels)
            if chosen is None:
                steps.append(StepProgress(channel=step.by, status=Attempt.FAILED_PERMANENT))
                continue
            channel, used = chosen
            reference = draft.notify(kind, track, candidate.person, channel, reason)
            steps.append(StepProgress(channel=channel, fallback=used, reference=reference))
            track = _told(track, candidate.person, channel)
        if not any(step.reference for step in steps):
            track, steps = _reach_somehow(draft, track, candidate, steps, (kind, reason))
        pages.append(
            Page(
                person=candidate.person,
                tier=track.tier,
                target=candidate.target,
                at=draft.now,
                late=draft.late,
                steps=tuple(steps),
                plan=candidate.plan,
            )
        )
    return replace(track, pages=tuple(pages))


def send(draft: Draft, track: Track, step: tuple[str, int], way: tuple[str, int], reason: Reason) -> None:
    """Send a person's step of that index by a channel; `way` is the channel and how many fallbacks are used up."""
    person, index = step
    channel, used = way
    reference = draft.notify(_kind_of(track), track, person, channel, reason)
    track = put_step(draft, track, person, index, StepProgress(channel=channel, fallback=used, reference=reference))
    track = draft.put(_told(track, person, channel))
    draft.record("paged_step", reason, track, person, {"channel": channel})


def put_step(draft: Draft, track: Track, person: str, index: int, progress: StepProgress) -> Track:
    """Replace one step's progress and return the track."""
    pages = tuple(
        replace(page, steps=(*page.steps[:index], progress, *page.steps[index + 1 :]))
        if page.person == person
        else page
        for page in track.pages
    )
    return draft.put(replace(track, pages=pages))


def plan_channels(plan: ContactPlan) -> tuple[str, ...]:
    """Return every channel a plan may use, in order, once."""
    return channels_of(plan.steps)


def first_usable(step: PlanStep, usable: Sequence[str]) -> tuple[str, int] | None:
    """Return the first channel of a step that is usable, and how many fallbacks that uses up; None when none is."""
    for used, channel in enumerate((step.by, *step.if_failed)):
        if channel in usable:
            return channel, used
    return None


def _reach_somehow(
    draft: Draft, track: Track, candidate: Candidate, steps: list[StepProgress], why: tuple[NoticeKind, Reason]
) -> tuple[Track, list[StepProgress]]:
    """Nothing went out at once: pull the first usable later step forward, else take any method the person has.

    A plan that has no step at once was written that way and is left to its timers.
    """
    wanted = candidate.plan or draft.plan_of(track).steps
    later = [(index, first_usable(step, candidate.channels)) for index, step in enumerate(wanted) if step.after_seconds]
    usable = [(index, chosen) for index, chosen in later if chosen is not None]
    if usable and len(later) == len(wanted):
        return track, steps
    index, (channel, used) = usable[0] if usable else (len(steps), (candidate.channels[0], 0))
    draft.disarm(track.name, (TimerKind.PLAN_STEP,), f"{candidate.person}/{index}")
    reference = draft.notify(why[0], track, candidate.person, channel, why[1])
    progress = StepProgress(channel=channel, fallback=used, reference=reference)
    return _told(track, candidate.person, channel), [*steps[:index], progress, *steps[index + 1 :]]


def _told(track: Track, person: str, channel: str) -> Track:
    """Return the track with one more who was paged, and is on the hook by that."""
    told = track.told if (person, channel) in track.told else (*track.told, (person, channel))
    return replace(track, told=told, off_hook=tuple(who for who in track.off_hook if who != person))


def _kind_of(track: Track) -> NoticeKind:
    """Return what a later step of a plan says: at the last resort it is not a page of some tier."""
    return NoticeKind.LAST_RESORT if track.state is TrackState.LAST_RESORT else NoticeKind.PAGE
