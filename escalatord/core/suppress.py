"""Suppression: does anything mute this alert now, who and why, and until when.

- Asked by `evaluate` last, and only when no exception matches: no silence, window or inhibition can touch one.
- What would start a statutory clock is not muted: a compliance track cannot be suppressed (decision 0010).
- An inhibition mutes for as long as an alert of its cause fires in an open incident (decision 0009). What would be a
  cause of the same kind itself is not muted by it, nor is anything by its own incident.
- Of several mutes the one that lasts longest is named. Until when counts what follows without a break: at that instant
  the alert is looked at again. The end of an inhibition is an event; `Verdict.quiet_for` names what it waits for.
- A verdict that is muted keeps its severity: what would have happened can be read from it.
"""

from collections.abc import Iterator
from datetime import datetime

from escalatord.core.claims import Scene
from escalatord.core.mutes import Filed, Inhibit, Silence, SuppressedBy, Timed
from escalatord.core.policy import TrackKind
from escalatord.core.rules import RuleReason, Verdict
from escalatord.core.values import replace

KIND_SUPPRESSED = "suppressed"
KIND_NOT_SUPPRESSED = "not suppressed"
FOLLOWERS_MAX = 20
"""Past it the rest is seen when the alert is looked at again."""


def suppress(scene: Scene, verdict: Verdict) -> Verdict:
    """Return a verdict with what mutes it, when to look again because of that, and why."""
    ruleset = scene.ruleset
    paged = scene.record.severity is not None
    if not (ruleset.suppress or scene.around.silences()) or (verdict.severity is None and not paged):
        return verdict
    timed: list[Timed] = list(scene.around.silences().matching(scene.record.alert.labels, scene.traits))
    filed = list(_filed(scene))
    timed += (mute for mute in filed if not isinstance(mute, Inhibit))
    # what would be a cause of the same kind itself is not muted by it
    own = (verdict.rule, *verdict.policies[:1])
    inhibits = [mute for mute in filed if isinstance(mute, Inhibit) and mute.when not in own]
    if not (timed or inhibits):
        return verdict
    if policy := _clock_starter(scene, verdict):
        return _through(verdict, policy)
    muted = [found for inhibit in inhibits if (found := _inhibited(scene, verdict, inhibit)) is not None]
    if (span := _spanned(scene.now, timed)) is not None:
        muted.append(span)
    touched = tuple(dict.fromkeys(one.when for one in inhibits if one.apply_to_open))
    starts = [at for mute in timed if mute.apply_to_open and (at := _next_start(mute, scene.now)) is not None]
    if not muted:
        return replace(verdict, touched_by=touched, next_at=_earliest(verdict.next_at, *starts))
    longest = max(muted, key=lambda one: (one.until is None, one.until or scene.now))
    before = scene.record.suppressed
    by = replace(
        longest,
        apply_to_open=any(one.apply_to_open for one in muted),
        keys=tuple(dict.fromkeys(key for one in muted for key in one.keys)),
        since=before.since if before is not None and before.ended_at is None else scene.now,
    )
    waits = (one.when for one in inhibits if one.key in by.keys)
    return replace(
        verdict,
        suppressed=by,
        touched_by=touched,
        next_at=_earliest(verdict.next_at, by.until, *(starts if paged else ())),
        quiet_for=tuple(dict.fromkeys((*verdict.quiet_for, *waits))),
        reasons=(*verdict.reasons, RuleReason(rule=by.name, kind=KIND_SUPPRESSED, severity=None, say=_say(by))),
    )


def going_on(verdict: Verdict) -> Verdict:
    """Return a muted verdict on an alert whose incident is open already and goes on: it is not muted."""
    by = verdict.suppressed
    if by is None:
        return verdict
    say = f"began after it paged, and does not apply to what is open: {by.why}, by {by.by}"
    told = tuple(
        replace(reason, kind=KIND_NOT_SUPPRESSED, say=say) if reason.kind == KIND_SUPPRESSED else reason
        for reason in verdict.reasons
    )
    return replace(verdict, suppressed=None, reasons=told)


def _filed(scene: Scene) -> Iterator[Filed]:
    """Yield what the rules have that matches, whatever the time and whatever is open."""
    mutes, index = scene.ruleset.suppress, scene.ruleset.suppress_index
    labels = scene.record.alert.labels
    for number in index.candidates(labels, scene.traits) if len(index) == len(mutes) else range(len(mutes)):
        if mutes[number].match.matches(labels, scene.traits):
            yield mutes[number]


def _inhibited(scene: Scene, verdict: Verdict, inhibit: Inhibit) -> SuppressedBy | None:
    """Return what an inhibition does now: the first cause that mutes the alert."""
    record = scene.record
    tried: set[tuple[str, ...]] = set()
    named = inhibit.mute.labels
    for cause in scene.around.causes(inhibit.when):
        if cause.incident == record.incident or cause.rule == verdict.rule:
            continue
        values = tuple(cause.labels.get(name, "") for name in named)
        if values in tried:
            continue
        tried.add(values)
        match = inhibit.mute.filled(cause.labels)
        if match is not None and match.matches(record.alert.labels, scene.traits):
            return SuppressedBy(
                kind=inhibit.kind,
                name=inhibit.label,
                what=f"{inhibit.when} is open: {inhibit.mute.text}",
                why=inhibit.why,
                by=inhibit.by,
                incident=cause.incident,
                apply_to_open=inhibit.apply_to_open,
                keys=(inhibit.key,),
            )
    return None


def _spanned(now: datetime, timed: list[Timed]) -> SuppressedBy | None:
    """Return what silences and windows do now; the end is that of what covers the time without a break."""
    present = [(end, mute) for mute in timed if (end := _end(mute, now)) is not None]
    if not present:
        return None
    until, mute = max(present, key=lambda pair: pair[0])
    keys = [each.key for _, each in present]
    for _ in range(FOLLOWERS_MAX):
        following = [(end, each) for each in timed if (end := _end(each, until)) is not None]
        if not following:
            break
        until = max(end for end, _ in following)
        keys += [each.key for _, each in following]
    return SuppressedBy(
        kind=mute.kind,
        name=mute.label,
        what=mute.match.text,
        why=mute.why,
        by=mute.by,
        until=until,
        apply_to_open=any(each.apply_to_open for _, each in present),
        keys=tuple(keys),
    )


def _end(mute: Timed, at: datetime) -> datetime | None:
    """Return when what mutes at `at` ends, None when it does not mute then."""
    if isinstance(mute, Silence):  # the common one, and the cheapest
        return mute.end if mute.start <= at < mute.end else None
    return next((span.end for span in mute.spans(at) if span.start <= at < span.end), None)


def _next_start(mute: Timed, now: datetime) -> datetime | None:
    return next((span.start for span in mute.spans(now) if now < span.start < span.end), None)


def _clock_starter(scene: Scene, verdict: Verdict) -> str:
    """Return the policy that would start a statutory clock for this, "" when none would."""
    if verdict.severity is None:
        return ""
    for name in verdict.policies:
        policy = scene.ruleset.policies.get(name)
        for track in policy.tracks if policy is not None else ():
            reached = track.when is None or verdict.severity.rank >= track.when.rank
            if track.kind is TrackKind.COMPLIANCE and reached:
                return name
    return ""


def _through(verdict: Verdict, policy: str) -> Verdict:
    say = f"policy {policy} starts a compliance track, which nothing suppresses"
    reason = RuleReason(rule=policy, kind=KIND_NOT_SUPPRESSED, severity=None, say=say)
    return replace(verdict, reasons=(*verdict.reasons, reason))


def _say(by: SuppressedBy) -> str:
    until = f" until {by.until:%Y-%m-%d %H:%M:%S} UTC" if by.until is not None else ""
    over = f" until INC-{by.incident} is over" if by.until is None else ""
    return f"suppressed{until}{over}: {by.why}, by {by.by} ({by.what})"


def _earliest(*instants: datetime | None) -> datetime | None:
    return min((at for at in instants if at is not None), default=None)
