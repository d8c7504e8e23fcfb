"""What providers say of attempts, and what follows: only a human ends a ladder, a failure starts the next method."""

from escalatord.core.answers import CLIMBING, hold_by_those_left, reopen
from escalatord.core.climb import climb, climb_if_unreached, enter_again, go_on, stand_in
from escalatord.core.draft import Draft
from escalatord.core.events import Delivery, PersonGone
from escalatord.core.incident import Attempt, Page, Reason, TimerKind, Track, TrackState
from escalatord.core.paging import put_step
from escalatord.core.policy import FAILED_AFTER_SECONDS_DEFAULT
from escalatord.core.retry import FAILED, advance
from escalatord.core.values import replace

OPTED_OUT = "opted_out"
REACHING = (Attempt.ACCEPTED, Attempt.DELIVERED)


def learn(draft: Draft, event: Delivery) -> Reason:
    """Take in news of one attempt; news of an attempt that is no longer the latest of its step changes nothing."""
    found = _find(draft, event.reference)
    if found is None:
        return Reason.DELIVERY_STALE
    track, page, index = found
    progress = page.steps[index]
    # STOP answers a text that did arrive; the phone is lost all the same
    stopped = event.status is Attempt.FAILED_PERMANENT and event.reason == OPTED_OUT
    status = event.status if stopped else advance(progress.status, event.status)
    if status is progress.status:
        return Reason.DELIVERY_UNCHANGED
    track = put_step(draft, track, page.person, index, replace(progress, status=status))
    page = next(p for p in track.pages if p.person == page.person)
    body = {"reference": event.reference, "channel": progress.channel, "status": status.value, "why": event.reason}
    draft.record("delivery", Reason.DELIVERY_ADVANCED, track, page.person, body)
    subject = f"{page.person}/{index}"
    draft.disarm(track.name, (TimerKind.RECEIPT_OVERDUE,), subject)
    if status in REACHING and draft.incident.first_paged_at is None:
        draft.incident = replace(draft.incident, first_paged_at=draft.now)
        seconds = (draft.now - draft.incident.opened_at).total_seconds()
        draft.record("first_paged", Reason.DELIVERY_ADVANCED, track, page.person, {"seconds": seconds})
    if track.state not in CLIMBING or page.person in track.acks:
        return Reason.DELIVERY_ADVANCED
    if status is Attempt.ACCEPTED and draft.has_receipts(progress.channel):
        draft.arm(TimerKind.RECEIPT_OVERDUE, _patience_seconds(draft, track, page, index), track.name, subject)
    elif status in FAILED:
        go_on(draft, track, page, index)
    return Reason.DELIVERY_ADVANCED


def lose_person(draft: Draft, event: PersonGone) -> Reason:
    """Go on without a person who cannot be reached any more: what they own is paged again, an empty tier is left."""
    changed = False
    for track in draft.incident.tracks:
        if track.state is TrackState.ACKNOWLEDGED and track.owner == event.person:
            draft.record("person_gone", Reason.PERSON_REMOVED, track, event.person)
            enter_again(draft, replace(track, state=TrackState.RUNNING), Reason.PERSON_REMOVED)
            reopen(draft, track.name)
            changed = True
        elif track.state in CLIMBING and (
            event.person in track.acks or any(page.person == event.person for page in track.pages)
        ):
            _go_on_without(draft, track, event.person)
            changed = True
    return Reason.PERSON_REMOVED if changed else Reason.NOT_DUE


def _go_on_without(draft: Draft, track: Track, person: str) -> None:
    draft.leave_in_peace(track, person)
    left = tuple(page for page in track.pages if page.person != person)
    track = draft.put(replace(track, pages=left, acks=tuple(who for who in track.acks if who != person)))
    draft.record("person_gone", Reason.PERSON_REMOVED, track, person)
    if hold_by_those_left(draft, track):
        return
    if left:
        climb_if_unreached(draft, track)
    elif not stand_in(draft, track):
        climb(draft, track, Reason.NOBODY_ON_CALL)


def _find(draft: Draft, reference: str) -> tuple[Track, Page, int] | None:
    for track in draft.incident.tracks:
        for page in track.pages:
            for index, step in enumerate(page.steps):
                if step.reference == reference:
                    return track, page, index
    return None


def _patience_seconds(draft: Draft, track: Track, page: Page, index: int) -> float:
    steps = draft.steps_of(track, page)
    return steps[index].failed_after_seconds if index < len(steps) else FAILED_AFTER_SECONDS_DEFAULT
