"""The words of a phone call: short sentences of speakable characters.

Only the severity, the service and the title are spoken of an alert. A confidential case has a code and nothing else.
"""

import re
import unicodedata
from datetime import timedelta
from typing import assert_never

from escalatord.core.incident import NoticeKind, Reason, State, TrackState
from escalatord.core.milestones import is_past_due
from escalatord.core.telling import (
    Telling,
    headline,
    muted_by,
    open_seconds,
    short_name,
    subject,
    track_of,
    what_is_past_due,
)

SPOKEN_CHARACTERS_MAX = 120
DAYS_FROM = timedelta(days=2)
MENU = "Press 4 if you have it. Press 8 to pass it on. Press 9 to hear this again."
SYMBOLS = {"%": " percent ", "&": " and ", "+": " plus ", "@": " at ", "=": " equals ", "€": " euro ", "$": " dollar "}
ORDINALS = ("first", "second", "third", "fourth", "fifth")
SPOKEN_MILESTONES = {
    Reason.UPDATE_DUE: "It is yours, and an update is due.",
    Reason.MITIGATION_DUE: "It is yours, and not mitigated in its time. The next tier is told.",
    Reason.RESOLUTION_DUE: "It is yours, and not resolved in its time. The last resort is told.",
}
CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
SPAN = re.compile(r"\b(\d+)([smhd])\b")
SPAN_UNITS = {"s": "second", "m": "minute", "h": "hour", "d": "day"}
LONE_POINT = re.compile(r"(?<!\d)\.|\.(?!\d)")


def sentences_of(telling: Telling) -> tuple[str, ...]:
    """Return what a call says, sentence by sentence; the last one is the menu when the call can be answered."""
    if telling.confidential:
        return _confidential(telling)
    incident = telling.incident
    over = standing_sentence(telling)
    if over:
        return (over,)
    what = (f"{speakable(subject(incident)).capitalize()}.", f"{speakable(headline(incident)).capitalize()}.")
    late = (
        (f"This page is late. It is open for {spoken_duration(open_seconds(incident, telling.now))}.",)
        if telling.late
        else ()
    )
    match telling.kind:
        case NoticeKind.PAGE | NoticeKind.REMIND | NoticeKind.UPDATE | NoticeKind.DIGEST:
            return (f"Severity {incident.severity}.", *what, *late, _place(telling), MENU)
        case NoticeKind.LAST_RESORT:
            past_due = is_past_due(track_of(telling))
            failed = f"{speakable(what_is_past_due(telling))}." if past_due else "Every tier failed to answer."
            return (
                f"Severity {incident.severity}.",
                *what,
                f"{failed} You are the last resort.",
                MENU,
            )
        case NoticeKind.ACK_QUESTION:
            return (*what, "It still fires after your acknowledgement.", "Press 4 to keep it. Press 8 to pass it on.")
        case NoticeKind.ACKED if telling.person in track_of(telling).acks:
            return (*what, "Enough have acknowledged it. You are one of them.")
        case NoticeKind.ACKED | NoticeKind.STAND_DOWN:
            return (*what, "No action needed. Go back to sleep.")
        case NoticeKind.MILESTONE:
            return (*what, SPOKEN_MILESTONES.get(telling.reason, "It is yours, and overdue."))
        case NoticeKind.HANDOVER:
            owner = speakable(short_name(telling.names, track_of(telling).owner))
            return (*what, f"{owner} still has it, and that shift is over.", "Press 4 to take it over.")
        case NoticeKind.STATUTORY:
            return (*what, "A statutory deadline is near. Sign in and record the decision.")
        case _:
            assert_never(telling.kind)


def standing_sentence(telling: Telling) -> str:
    """Return what makes a page pointless by now ("Bo acknowledged this 1 minute ago. …"), "" while it still counts.

    An owner is asked about what is theirs, so for them an ack changes nothing.
    """
    incident, track = telling.incident, track_of(telling)
    if incident.state is State.RESOLVED or track.state is TrackState.ENDED:
        return f"This is {'muted' if muted_by(incident) else 'over'}. No action needed. Good night."
    theirs = telling.kind is NoticeKind.HANDOVER or track.owner == telling.person
    if track.state is TrackState.ACKNOWLEDGED and track.acked_at and not theirs:
        ago = spoken_duration((telling.now - track.acked_at).total_seconds())
        owner = speakable(short_name(telling.names, track.owner))
        return f"{owner} acknowledged this {ago} ago. Go back to sleep."
    return ""


def speakable(text: str) -> str:
    """Return `text` reduced to letters, digits and spaces, symbols that matter as words, at most 120 characters."""
    for symbol, word in SYMBOLS.items():
        text = text.replace(symbol, word)
    kept = "".join(c if c.isalnum() or c in ".' " or unicodedata.category(c) in ("Mn", "Mc") else " " for c in text)
    kept = SPAN.sub(lambda span: _count(int(span[1]), SPAN_UNITS[span[2]]), kept)
    words = LONE_POINT.sub(" ", CAMEL.sub(" ", kept)).split()
    said = " ".join(words)
    if len(said) <= SPOKEN_CHARACTERS_MAX:
        return said
    return said[:SPOKEN_CHARACTERS_MAX].rpartition(" ")[0] or said[:SPOKEN_CHARACTERS_MAX]


def spoken_duration(seconds: float) -> str:
    """Return a duration in words: 40 seconds, 1 minute, 2 hours 5 minutes, 3 days."""
    whole = timedelta(seconds=max(0.0, seconds))
    if whole < timedelta(minutes=1):
        return _count(whole.seconds, "second")
    hours, minutes = divmod(round(whole / timedelta(minutes=1)), 60)
    if whole >= DAYS_FROM:
        return _count(round(whole / timedelta(days=1)), "day")
    if hours and minutes:
        return f"{_count(hours, 'hour')} {_count(minutes, 'minute')}"
    return _count(hours, "hour") if hours else _count(minutes, "minute")


def spelled(code: str) -> str:
    """Return a code so that it is read out character by character: K 7."""
    return " ".join(code)


def _confidential(telling: Telling) -> tuple[str, ...]:
    code = telling.handles.code
    name = f"Confidential case {spelled(code)}" if code else "A confidential case"
    match telling.kind:
        case NoticeKind.ACKED if telling.person in track_of(telling).acks:
            return (f"Enough have acknowledged {name}. You are one of them.",)
        case NoticeKind.ACKED | NoticeKind.STAND_DOWN:
            return (f"{name} no longer needs you.",)
        case NoticeKind.PAGE | NoticeKind.REMIND | NoticeKind.LAST_RESORT | NoticeKind.UPDATE:
            pass
        case (
            NoticeKind.ACK_QUESTION
            | NoticeKind.STATUTORY
            | NoticeKind.DIGEST
            | NoticeKind.MILESTONE
            | NoticeKind.HANDOVER
        ):
            pass
        case _:
            assert_never(telling.kind)
    if standing_sentence(telling):
        return (f"{name} no longer needs you.",)
    return (f"{name} needs you.", "Sign in for details.", MENU)


def _place(telling: Telling) -> str:
    if is_past_due(track_of(telling)):
        return f"{speakable(what_is_past_due(telling))}."
    if telling.tier <= 1:
        return "You are first in line."
    place = ORDINALS[telling.tier - 1] if telling.tier <= len(ORDINALS) else f"number {telling.tier}"
    return f"You are {place} in line. Nobody before you has it."


def _count(number: int, unit: str) -> str:
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"
