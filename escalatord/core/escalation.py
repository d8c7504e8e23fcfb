"""The state machine: `step(incident, event, now, world) -> Outcome`.

Theory. An incident runs independent *tracks*, each a ladder of tiers; the first one speaks for the incident. A track is

    waiting ──severity──► running ──ack──► acknowledged ──resolve──► ended
        │    milestone    │  ▲  ▲               │
        ▼                 │  │  └─ expiry, undo, worse, new alert
      held ──office hours─┘  │ (never back to running but by a human)
     last tier, no repeat ►  last_resort ──ack──► acknowledged

Rules.
1. Total and deterministic: every (state, event) pair returns; one that means nothing returns the same incident and a
   named `Reason`. No clock, no chance: `now` and `world` are arguments.
2. Timers are data. An open incident has a deadline in every track that runs, is held, or is at its last resort.
3. Acking one track never moves another; an ack clears its track's deadlines and withdraws its unsent pages.
4. A compliance track cannot be snoozed or ended without a decision; the sender's resolve leaves it open.
5. A tier's window counts from its entry. Late steps enter one tier, tell everyone once, and say that they are late.
6. Every change of state leaves a `Record` that names its reason.
7. Where flapping is damped (`flap`), what fires again soon after its end goes on where it stood; nothing sets its clock
   back.
"""

from datetime import datetime
from typing import assert_never

from escalatord.core import answers, bundle, deadlines, deliveries, flap, milestones, rebase
from escalatord.core.climb import enter, enter_again, page_owner_again
from escalatord.core.draft import Draft
from escalatord.core.ending import close, recover
from escalatord.core.events import (
    Ack,
    AlertFired,
    AlertSettled,
    Delivery,
    Event,
    HoursChanged,
    Mitigated,
    Note,
    Outcome,
    PageNext,
    PassOn,
    PersonGone,
    Rebase,
    Resolve,
    Snooze,
    TimersDue,
    Unack,
    Word,
)
from escalatord.core.hours import waits_until, what_waits
from escalatord.core.incident import Cause, Incident, Reason, State, TimerKind, Track, TrackState
from escalatord.core.ruleset import World
from escalatord.core.starting import climbers_of, start, tracks_of
from escalatord.core.values import replace

CHANGES_NOTHING = frozenset(
    {
        Reason.NOT_DUE,
        Reason.NO_SUCH_TRACK,
        Reason.STALE_TIER,
        Reason.STALE_ANSWER,
        Reason.NOT_ACKNOWLEDGED,
        Reason.SNOOZE_REFUSED,
        Reason.ALREADY_RESOLVED,
        Reason.RESOLVE_NEEDS_DECISION,
        Reason.DELIVERY_STALE,
        Reason.DELIVERY_UNCHANGED,
        Reason.ALREADY_MITIGATED,
        Reason.SAME_POLICY,
    }
)
"""Reasons after which the incident is the very same value and there are no effects."""


def step(incident: Incident | None, event: Event, now: datetime, world: World) -> Outcome:
    """Return what `event` makes of `incident` at `now`.

    `incident` None means that there is none: only an `AlertFired` opens one. `world` must hold every policy that the
    incident's tracks (or the event) are pinned to.
    """
    if incident is None:
        if isinstance(event, AlertFired):
            return _open(event, now, world)
        return Outcome(incident=None, effects=(), reason=Reason.NO_INCIDENT)
    draft = Draft(replace(incident, turn=incident.turn + 1), now, world)
    reason = _closed(draft, event) if incident.state is State.RESOLVED else _happen(draft, event)
    if reason in CHANGES_NOTHING:
        return Outcome(incident=incident, effects=(), reason=reason)
    return draft.outcome(reason)


def _happen(draft: Draft, event: Event) -> Reason:
    match event:
        case AlertFired():
            return _join(draft, event)
        case AlertSettled():
            return _settle(draft, event)
        case TimersDue():
            return deadlines.pass_by(draft)
        case HoursChanged():
            return deadlines.look_at_hours(draft)
        case Rebase():
            return rebase.move(draft, event)
        case Delivery():
            return deliveries.learn(draft, event)
        case PersonGone():
            return deliveries.lose_person(draft, event)
        case Ack() | Unack() | PassOn() | PageNext() | Snooze() | Note() | Mitigated() | Resolve():
            return _hear(draft, event)
        case _:
            assert_never(event)


def _hear(draft: Draft, event: Word) -> Reason:
    """Do what a human says."""
    match event:
        case Ack():
            return answers.acknowledge(draft, event)
        case Unack():
            return answers.unacknowledge(draft, event)
        case PassOn():
            return answers.pass_on(draft, event)
        case PageNext():
            return answers.page_next(draft, event)
        case Snooze():
            return answers.snooze(draft, event)
        case Note():
            return answers.note(draft, event)
        case Mitigated():
            return milestones.mitigate(draft, event)
        case Resolve():
            return answers.resolve(draft, event)
        case _:
            assert_never(event)


def _closed(draft: Draft, event: Event) -> Reason:
    """Answer for an incident that is over: notes are still taken, everything else is told so."""
    match event:
        case Note():
            return answers.note(draft, event)
        case AlertFired() if flap.may_reopen(draft.incident, draft.world.ruleset.flap, draft.now):
            return _reopen(draft, event)
        case Delivery() | PersonGone() | TimersDue() | AlertSettled() | HoursChanged():
            return Reason.DELIVERY_STALE if isinstance(event, Delivery) else Reason.NOT_DUE
        case AlertFired() | Ack() | Unack() | PassOn() | PageNext() | Snooze() | Mitigated() | Rebase() | Resolve():
            return Reason.ALREADY_RESOLVED
        case _:
            assert_never(event)


# ------------------------------------------------------------------------------------------------------- opening


def _open(event: AlertFired, now: datetime, world: World) -> Outcome:
    main = event.policies[0]
    raised = event.cause is Cause.RAISED
    storm = bundle.begin(event)
    tracks = tracks_of(event.policies)
    draft = Draft(
        Incident(
            number=event.number,
            key=event.key,
            turn=1,
            severity=event.severity,
            opened_severity=event.severity,
            cause=event.cause,
            policy=main.name,
            service=event.service,
            source=event.source,
            rule=event.rule,
            title=bundle.title_of(storm, 1, 0.0, event.title) if storm else event.title,
            summary=event.summary,
            links=event.links,
            bundle=storm,
            confidential=any(policy.confidential for policy in event.policies),
            opened_at=now,
            firing=(0, 0, 0, 0) if raised else _counted((0, 0, 0, 0), event.severity.rank, 1),
            alerts=0 if raised else 1,
            truncated=event.truncated,
            tracks=(*tracks, *climbers_of(tracks, {policy.hash: policy for policy in event.policies})),
        ),
        now,
        world,
    )
    draft.actor, draft.via = event.actor or event.source, event.via
    draft.record(
        "opened",
        Reason.OPENED,
        body={
            "cause": event.cause.value,
            "service": event.service,
            "rule": event.rule,
            "title": event.title,
            "source": event.source,
            "fingerprint": event.fingerprint,
            "start_at": event.start_at,
            "why": dict(event.why),
        },
    )
    for track in draft.incident.tracks:
        _start(draft, track, event, event.start_at)
    return draft.outcome(Reason.OPENED)


def _start(draft: Draft, track: Track, event: AlertFired, start_at: int = 1) -> None:
    """Start a track; those of the main policy where the rule says, others at tier 1."""
    is_main = track.policy == event.policies[0].hash
    start(draft, track, start_at if is_main else 1, event.cause)


# ------------------------------------------------------------------------------------------------- more alerts


def _reopen(draft: Draft, event: AlertFired) -> Reason:
    """It fires again soon after its end: everything goes on where it stood, and what is overdue happens now."""
    draft.actor, draft.via = event.source, event.via
    before = draft.incident.stood
    assert before is not None  # noqa: S101 - asked by `may_reopen`
    flap.put_back(draft)
    _join(draft, event)
    flap.say_again(draft, before)
    deadlines.pass_by(draft)
    return Reason.REOPENED


def _join(draft: Draft, event: AlertFired) -> Reason:
    """An alert joins the open incident, or one of its alerts changed."""
    draft.actor, draft.via = event.source, event.via
    flap.stir(draft)
    incident = draft.incident
    if incident.recovered_at is not None:
        draft.incident = replace(incident, mitigated_at=None, mitigated_by="")
        _begin_again(draft, event)
    is_new = event.previous is None  # not in it at this moment
    is_known = event.again  # but it was, a moment ago
    firing = _counted(incident.firing, event.severity.rank, 1)
    if event.previous is not None:
        firing = _counted(firing, event.previous.rank, -1)
    draft.incident = replace(
        draft.incident,
        firing=firing,
        alerts=incident.alerts + (is_new and not is_known),
        truncated=max(incident.truncated, event.truncated),
        recovered_at=None,
        muted_by="",
    )
    reason = Reason.JOINED if is_new else Reason.ALERT_UPDATED
    if is_new:
        body = {"fingerprint": event.fingerprint, "new_severity": event.severity.value, "title": event.title}
        draft.record("joined", reason, body={**body, "again": True} if is_known else body)
        bundle.grow(draft, event)
    if event.severity.rank > incident.severity.rank:
        _worsen(draft, event)
        return Reason.SEVERITY_RAISED
    if event.previous is not None and event.severity.rank < event.previous.rank:
        draft.record("severity_fell", Reason.SEVERITY_FELL, body={"note": f"{event.previous} → {event.severity}"})
        return Reason.SEVERITY_FELL
    if is_new and event.repage and not is_known:
        return _again(draft, Reason.NEW_ALERT_AFTER_ACK, reason)
    return reason


def _begin_again(draft: Draft, event: AlertFired) -> None:
    """It fires again while compliance still keeps the incident open: the tracks that were called off climb again."""
    for track in draft.incident.tracks:
        if track.state is TrackState.ENDED:
            at_rest = replace(track, state=TrackState.WAITING, tier=0, cycle=0, started_at=None, overdue=(), silences=0)
            fresh = draft.put(at_rest)
            if event.severity.rank <= draft.incident.severity.rank:  # else the worse severity starts it
                _start(draft, fresh, event)
            answers.reopen(draft, track.name)


def _worsen(draft: Draft, event: AlertFired) -> None:
    """The worst severity rose: start tracks that waited for it, page again those that climb or are held."""
    was = draft.incident.severity
    draft.incident = replace(draft.incident, severity=event.severity)
    if draft.incident.bundle is None:  # a bundle is called after all of its alerts
        draft.incident = replace(draft.incident, title=event.title, summary=event.summary)
    body = {"from": was.value, "to": event.severity.value, "title": event.title, "why": dict(event.why)}
    draft.record("severity_raised", Reason.SEVERITY_RAISED, body=body)
    for track in draft.incident.tracks:
        if track.state is TrackState.WAITING:
            _start(draft, track, event)
        elif track.state is TrackState.HELD:
            _ring_at_last(draft, track)
        elif track.state in answers.CLIMBING:
            enter_again(draft, track, Reason.SEVERITY_RAISED)
    milestones.get_worse(draft)
    _again(draft, Reason.SEVERITY_RAISED, Reason.SEVERITY_RAISED)


def _ring_at_last(draft: Draft, track: Track) -> None:
    """Enter the tier that waits for office hours, if it is bad enough by now not to wait for them."""
    if waits_until(draft, track) is None:
        (timer,) = [t for t in draft.incident.timers if t.track == track.name and t.kind is TimerKind.HOURS_START]
        enter(draft, track, what_waits(timer)[0], Reason.SEVERITY_RAISED)
        milestones.begin(draft, track.name)


def _again(draft: Draft, reason: Reason, otherwise: Reason) -> Reason:
    """Page the owners of held tracks again; return `reason` when there was one, else `otherwise`."""
    tracks = draft.incident.tracks
    held = [t for t in tracks if t.state is TrackState.ACKNOWLEDGED and not milestones.is_past_due(t)]
    for track in held:
        page_owner_again(draft, track, reason)
        answers.reopen(draft, track.name)
    return reason if held else otherwise


def _settle(draft: Draft, event: AlertSettled) -> Reason:
    firing = _counted(draft.incident.firing, event.severity.rank, -1)
    draft.incident = replace(draft.incident, firing=firing)
    draft.actor = draft.incident.source
    if event.why:
        draft.record("cleared", Reason.ALERT_SETTLED, body={"fingerprint": event.fingerprint, "why": event.why})
    if event.muted_by:
        draft.record("suppressed", Reason.SUPPRESSED, body={"fingerprint": event.fingerprint, "why": event.muted_by})
    if any(firing):
        body = {"fingerprint": event.fingerprint, "still_firing": sum(firing)}
        draft.record("settled", Reason.ALERT_SETTLED, body=body)
        return Reason.ALERT_SETTLED
    draft.incident = replace(draft.incident, muted_by=event.muted_by)
    if _must_stay(draft):
        recover(draft)
        return Reason.RECOVERED_COMPLIANCE_OPEN
    # what a mute took away is not quiet: it is over as far as pages go
    if not draft.incident.muted_by and flap.stay_open(draft):
        return Reason.QUIET
    return close(draft, by="", decision="")


def _must_stay(draft: Draft) -> bool:
    """Tell whether a track still needs a human's decision before the incident may end."""
    return any(
        track.state not in (TrackState.ENDED, TrackState.WAITING) and draft.stays_until_decided(track)
        for track in draft.incident.tracks
    )


def _counted(firing: tuple[int, int, int, int], rank: int, by: int) -> tuple[int, int, int, int]:
    """Return the counts with one changed; a count never falls below zero (a resolve may come twice)."""
    info, warning, error, critical = (max(0, count + by) if at == rank else count for at, count in enumerate(firing))
    return info, warning, error, critical
