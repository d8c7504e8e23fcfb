"""From what somebody asked about silences to the command it means, and what is muted now as tools and pages see it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from escalatord.core.matchers import Matchers, parse_matchers
from escalatord.core.mutes import Inhibit, Maintenance, Mute, MuteKind, Silence
from escalatord.engine.suppressing import (
    SILENCE_AHEAD_DAYS_MAX,
    SILENCE_DAYS_MAX,
    SILENCE_MATCHERS_CHARS_MAX,
    SILENCE_WHY_CHARS_MAX,
)
from escalatord.engine.wishes import AddSilence, Silenced, SilenceReason
from escalatord.errors import BadInputError
from escalatord.store.tx import Tx
from escalatord.web.asking import flag_of, text_of
from escalatord.web.human import Content, Speaker
from escalatord.web.overriding import lasting, line_of, when
from escalatord.web.parts import EnginePort

ALERTS_LOOKED_THROUGH_MAX = 2_000
ALERTS_SHOWN_MAX = 50
DONE = frozenset({SilenceReason.ADDED, SilenceReason.EXPIRED})
STATUS: Mapping[SilenceReason, int] = {SilenceReason.UNKNOWN_SILENCE: 404, SilenceReason.TOO_MANY: 409}
"""Refusals that are not simply 400."""
WHY_NOT: Mapping[SilenceReason, tuple[str, str]] = {
    SilenceReason.UNKNOWN_SILENCE: (
        "There is no such silence, or it is over; what the rules mute is changed there.",
        "GET /api/v1/silences lists them.",
    ),
    SilenceReason.NO_WHY: ("Nothing is muted without a reason.", 'Say why: "deploy of 4.2".'),
    SilenceReason.ENDS_FIRST: ("It would end before it begins.", "Give a later end."),
    SilenceReason.PAST: ("It would be over already.", "Give an end in the future."),
    SilenceReason.TOO_LONG: (
        f"A silence lasts {SILENCE_DAYS_MAX} days at most.",
        "What is quiet for longer belongs into the rules.",
    ),
    SilenceReason.TOO_FAR: (
        f"It may begin within {SILENCE_AHEAD_DAYS_MAX} days.",
        "For what is further away, write it into the rules.",
    ),
    SilenceReason.TOO_MANY: ("There are too many silences.", "Expire some; what recurs belongs into the rules."),
    SilenceReason.MATCHES_ALL: (
        "It would mute every alert that lacks these labels.",
        'Name what is meant: service="checkout".',
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Muting:
    """What mutes (or will), how many alerts that fire each holds back by its key, and the newest of those alerts."""

    mutes: tuple[Mute, ...]
    held: Mapping[str, int]
    alerts: tuple[Mapping[str, object], ...]
    at: datetime


def adding(content: Content, who: Speaker, now: datetime) -> AddSilence:
    """Return the command that mutes what `matchers` match from `from` (default: now) until `to` or for `for`.

    Times without a zone are UTC. Raise BadInputError for what is no time or no matcher.
    """
    start = when(content, "from", "UTC") or now
    if text_of(content, "for"):
        end = start + lasting(content, "for")
    else:
        found = when(content, "to", "UTC", later=True)
        if found is None:
            raise BadInputError("E102", "/to", 'give "to", or "for" (how long)')
        end = found
    word = text_of(content, "kind") or MuteKind.SILENCE
    if word not in (MuteKind.SILENCE, MuteKind.MAINTENANCE):
        raise BadInputError("E101", "/kind", '"kind" must be silence or maintenance')
    silence = Silence(
        kind=MuteKind(word),
        match=_matchers(content),
        start=start,
        end=end,
        why=_bounded(line_of(content, "why"), "why", SILENCE_WHY_CHARS_MAX),
        by=who.person,
        apply_to_open=_flag(content, "apply_to_open"),
    )
    return AddSilence(silence=silence, via=who.via)


async def muting(engine: EnginePort) -> Muting:
    """Return what mutes now, or will: of the rules, and made at run time."""
    now = engine.clock.now()

    def look(tx: Tx) -> tuple[list[Silence], list[Mapping[str, object]]]:
        return tx.silences(now), list(_alerts(tx))

    silences, alerts = await engine.read(look)
    filed = (one for one in engine.ruleset.suppress if not (isinstance(one, Maintenance) and _is_over(one, now)))
    mutes: tuple[Mute, ...] = (*silences, *filed)
    held = await engine.held_by([mute.key for mute in mutes])
    return Muting(mutes=mutes, held=held, alerts=tuple(alerts), at=now)


def mute_json(mute: Mute, held: int, now: datetime) -> dict[str, object]:
    """Return one mute; `id` is None for those of the rules, `start` and `end` for an inhibition."""
    start, end = _span(mute, now)
    is_inhibit = isinstance(mute, Inhibit)
    return {
        "id": mute.id if isinstance(mute, Silence) else None,
        "kind": mute.kind,
        "matchers": mute.mute.text if isinstance(mute, Inhibit) else mute.match.text,
        "when": mute.when if isinstance(mute, Inhibit) else None,
        "start": start,
        "end": end,
        "recurs": isinstance(mute, Maintenance) and mute.every is not None,
        "active": held > 0 if is_inhibit else start is not None and start <= now,
        "why": mute.why,
        "by": mute.by,
        "apply_to_open": mute.apply_to_open,
        "holds_back": held,
    }


def muting_json(muting: Muting) -> list[dict[str, object]]:
    """Return all mutes: those that mute now first, then by when they begin."""
    shown = [mute_json(mute, muting.held.get(mute.key, 0), muting.at) for mute in muting.mutes]
    return sorted(shown, key=lambda one: (not one["active"], str(one["start"] or ""), str(one["matchers"])))


def said(done: Silenced) -> str:
    """Return in a line what came of it."""
    silence = done.silence
    if done.reason not in DONE or silence is None:
        return " ".join(WHY_NOT[done.reason])
    one = done.firing == 1
    fires = f"{done.firing} alert{'' if one else 's'}"
    name = silence.label.capitalize()
    if done.reason is SilenceReason.EXPIRED:
        judged = f"{fires} that it held back {'is' if one else 'are'} judged again now"
        return f"{name} is over: {judged if done.firing else 'it held nothing back'}."
    begins = "" if silence.start <= done.at else f" from {silence.start:%Y-%m-%d %H:%M} UTC"
    lines = [
        f"{name}: {silence.match.text} is quiet{begins} until {silence.end:%Y-%m-%d %H:%M} UTC.",
        f"{fires} that match{'es' if one else ''} fire{'s' if one else ''} now.",
    ]
    if done.paging:
        goes = "leave it" if silence.apply_to_open else "stay in it, since what is open goes on"
        lines.append(f"In an open incident already: {done.paging}; they {goes}.")
    return " ".join([*lines, "Exceptions and statutory clocks still page."])


def _alerts(tx: Tx) -> Iterator[Mapping[str, object]]:
    """Yield the newest alerts that are muted now, with the severity that they would have."""
    muted = [
        record
        for record in tx.firing_alerts(ALERTS_LOOKED_THROUGH_MAX)
        if record.suppressed is not None and record.suppressed.ended_at is None
    ]
    for record in muted[:ALERTS_SHOWN_MAX]:
        by = record.suppressed
        verdict = tx.verdict_of(record.alert.source, record.alert.fingerprint) or {}
        yield {
            "source": record.alert.source,
            "fingerprint": record.alert.fingerprint,
            "title": record.alert.title,
            "service": record.alert.labels.get("service", ""),
            "severity": verdict.get("severity"),
            "since": by.since if by is not None else None,
            "until": by.until if by is not None else None,
            "suppressed_by": by.say if by is not None else "",
        }


def _span(mute: Mute, now: datetime) -> tuple[datetime | None, datetime | None]:
    """Return from when until when a mute mutes: the present time, else the next."""
    if isinstance(mute, Inhibit):
        return None, None
    return next(((span.start, span.end) for span in mute.spans(now) if span.end > now), (None, None))


def _is_over(window: Maintenance, now: datetime) -> bool:
    return window.once is not None and window.once.end <= now


def _matchers(content: Content) -> Matchers:
    text = _bounded(text_of(content, "matchers", needed=True), "matchers", SILENCE_MATCHERS_CHARS_MAX)
    try:
        return parse_matchers(text)
    except ValueError as error:
        raise BadInputError("E101", "/matchers", str(error)) from None


def _bounded(text: str, key: str, most: int) -> str:
    if len(text) > most:
        raise BadInputError("E103", f"/{key}", f'"{key}" is longer than {most} characters')
    return text


def _flag(content: Content, key: str) -> bool:
    """Return a flag of JSON, or a box of a form."""
    return content.get(key) == "on" or flag_of({**content, key: content.get(key, False)}, key)


def _count(alerts: int) -> str:
    return f"{alerts} alert{'' if alerts == 1 else 's'}"
