"""Texts for every channel: what a `Telling` says by SMS, in a call, in a chat room, by mail and to a webhook.

- Every (notice, channel) pair has words; the function is total and never fails for any alert content.
- A first line is a full sentence: it is all that a lock screen shows.
- A call speaks the severity, the service and the title reduced to speakable characters; never labels, never links.
- A confidential case says its code, its statutory clock and "Sign in", by any channel.
"""

from typing import assert_never

from escalatord.core.gsm7 import one_line
from escalatord.core.incident import NoticeKind, Reason, State, TrackState
from escalatord.core.milestones import is_past_due
from escalatord.core.roster import ChannelKind
from escalatord.core.telling import (
    Telling,
    Words,
    at_clock,
    headline,
    in_hours,
    open_seconds,
    roughly,
    short_name,
    subject,
    track_of,
    what_became,
    what_is_past_due,
    what_next,
    why_you,
)
from escalatord.core.wallclock import Style
from escalatord.core.wording_sms import confidential_text, text_of
from escalatord.core.wording_speech import sentences_of

SUBJECT_CHARACTERS_MAX = 200
SUMMARY_CHARACTERS_MAX = 500
LINKS_MAX = 5
LINK_CHARACTERS_MAX = 500
LINK_NAME_CHARACTERS_MAX = 40
CONFIDENTIAL_CHARACTERS_MAX = 1000
MILESTONES = {
    Reason.UPDATE_DUE: "It is yours, and an update is due: write a note.",
    Reason.MITIGATION_DUE: "It is yours, and not mitigated in its time: the next tier is told. Say so once it is.",
    Reason.RESOLUTION_DUE: "It is yours, and not resolved in its time: the last resort is told.",
}
"""What the owner is told when a milestone is missed, by the reason of the message."""
ASKS_FOR_ACK = (
    NoticeKind.PAGE,
    NoticeKind.REMIND,
    NoticeKind.LAST_RESORT,
    NoticeKind.ACK_QUESTION,
    NoticeKind.DIGEST,
)


def compose(telling: Telling, channel: ChannelKind) -> Words:
    """Return the words of `telling` for a kind of channel."""
    match channel:
        case ChannelKind.SMS:
            text = text_of(telling)
            return Words(title=text.partition("\n")[0], text=text)
        case ChannelKind.CALL:
            speech = sentences_of(telling)
            return Words(title=speech[0], text=" ".join(speech), speech=speech)
        case ChannelKind.CHAT | ChannelKind.MAIL | ChannelKind.WEBHOOK:
            return _confidential(telling) if telling.confidential else _written(telling, channel)
        case _:
            assert_never(channel)


def first_line(telling: Telling) -> str:
    """Return the incident in one sentence: its state, what is broken, and who has it."""
    incident = telling.incident
    return f"{_mark(telling)} {subject(incident)}: {headline(incident)}. {what_became(telling)}"


def _written(telling: Telling, channel: ChannelKind) -> Words:
    """Words that are read on a screen: a first line, the facts, how to answer."""
    incident = telling.incident
    lines = [first_line(telling), _event(telling), _facts(telling), what_next(telling)]
    summary = one_line(incident.summary)[:SUMMARY_CHARACTERS_MAX]
    if summary and summary.rstrip(".") != headline(incident):
        lines.append(summary)
    lines += [*_links(telling), *_how_to_answer(telling, channel)]
    text = "\n".join(line for line in lines if line)
    if channel is ChannelKind.MAIL:
        return Words(title=_mail_subject(telling), text=text + "\n")
    return Words(title=lines[0], text=text)


def _confidential(telling: Telling) -> Words:
    text = confidential_text(telling, CONFIDENTIAL_CHARACTERS_MAX)
    number = _number(telling)
    return Words(title=text.partition("\n")[0], text=f"{text}\n{number}" if number else text)


def _event(telling: Telling) -> str:
    """Return why this message comes now, "" when the first line has said it."""
    match telling.kind:
        case NoticeKind.PAGE | NoticeKind.UPDATE | NoticeKind.DIGEST:
            why = why_you(telling)
            late = f"Late: open {roughly(open_seconds(telling.incident, telling.now))} already." if telling.late else ""
            return " ".join(part for part in (f"{why}." if why else "", late) if part)
        case NoticeKind.REMIND:
            return "Still waiting for an ack."
        case NoticeKind.LAST_RESORT:
            if is_past_due(track_of(telling)):
                return f"{what_is_past_due(telling)}. You are the last resort."
            return f"All tiers failed to ack in {roughly(open_seconds(telling.incident, telling.now))}."
        case NoticeKind.ACK_QUESTION:
            hold = roughly(telling.hold_seconds)
            fires = "Firing for so long that it may be stale: then close it." if telling.stale else "Still firing after"
            since = "" if telling.stale else " your ack."
            return f"{fires}{since} Ack again to keep it {hold} more; no answer in 10m pages the tier again."
        case NoticeKind.ACKED:
            if telling.person in track_of(telling).acks:
                return "Enough have acked; you are one of them."
            return "You are off the hook." if telling.person else ""
        case NoticeKind.STAND_DOWN:
            return "Stand down, no action needed. Good night."
        case NoticeKind.STATUTORY:
            return _statutory(telling)
        case NoticeKind.MILESTONE:
            return MILESTONES.get(telling.reason, "It is overdue.")
        case NoticeKind.HANDOVER:
            owner = short_name(telling.names, track_of(telling).owner)
            return f"{owner}'s shift is over, and {owner} still has it. You are on call now: ack to take it over."
        case _:
            assert_never(telling.kind)


def _statutory(telling: Telling) -> str:
    law = telling.regime.upper() or "Statutory"
    if telling.due_at is None:
        return f"{law} clock: a decision is due."
    left = (telling.due_at - telling.now).total_seconds()
    when = at_clock(telling.due_at, telling.zone, Style.DAY)
    said = f"{in_hours(left)} left, it ends {when}" if left > 0 else f"the period ended {when}"
    return f"{law} clock: {said}. Record the decision."


def _facts(telling: Telling) -> str:
    incident = telling.incident
    opened = at_clock(incident.opened_at, telling.zone, Style.SECONDS_ZONE)
    firing = sum(incident.firing)
    parts = [
        incident.label,
        f"opened {opened}",
        f"open for {roughly(open_seconds(incident, telling.now))}",
        incident.policy,
    ]
    if firing > 1:
        parts.append(f"{firing} alerts firing")
    if incident.truncated:
        parts.append(f"{incident.truncated} more cut off by the sender")
    return " · ".join(parts)


def _links(telling: Telling) -> list[str]:
    shown = list(telling.incident.links.items())[:LINKS_MAX]
    return [
        f"{one_line(name)[:LINK_NAME_CHARACTERS_MAX]}: {one_line(url)}"
        for name, url in shown
        if len(url) <= LINK_CHARACTERS_MAX  # half an address leads nowhere
    ]


def _how_to_answer(telling: Telling, channel: ChannelKind) -> list[str]:
    code, link = telling.handles.code, telling.handles.link
    if telling.kind not in ASKS_FOR_ACK:
        word = "Take it over" if telling.kind is NoticeKind.HANDOVER else "Details"
        return [f"{word}: {link}", _number(telling)] if link else []
    said = [f"Ack: {link}", _number(telling)] if link else []
    if code and channel is ChannelKind.CHAT:
        said.append(f"Or reply {code} to ack, {code}N to pass on.")
    elif code:
        said.append(f"Or answer by SMS: {code} acks, {code}N passes on.")
    return said


def _number(telling: Telling) -> str:
    number = telling.handles.number
    return f"Your number is {number}: choose it on the page." if number else ""


def _mark(telling: Telling) -> str:
    """Return the state in capitals while somebody is needed or not: the severity, ACKED, RECOVERED, MUTED, CLOSED."""
    incident, track = telling.incident, track_of(telling)
    if incident.state is State.RESOLVED or track.state is TrackState.ENDED:
        return "CLOSED" if incident.resolved_by else "MUTED" if incident.muted_by else "RECOVERED"
    return "ACKED" if track.state is TrackState.ACKNOWLEDGED else incident.severity.upper()


def _mail_subject(telling: Telling) -> str:
    incident = telling.incident
    marks = {
        NoticeKind.ACKED: "ACKED",
        NoticeKind.STAND_DOWN: "STAND DOWN",
        NoticeKind.ACK_QUESTION: "STILL YOURS?",
        NoticeKind.REMIND: "REMINDER",
        NoticeKind.LAST_RESORT: "LAST RESORT",
        NoticeKind.STATUTORY: "DEADLINE",
        NoticeKind.MILESTONE: "OVERDUE",
        NoticeKind.HANDOVER: "HANDOVER",
    }
    mark = marks.get(telling.kind, _mark(telling))
    owner = track_of(telling).owner if telling.kind is NoticeKind.ACKED else ""
    by = f" by {short_name(telling.names, owner)}" if owner else ""
    label = f" ({incident.label})"
    room = SUBJECT_CHARACTERS_MAX - len(label)
    return f"[{mark}{by}] {subject(incident)}: {headline(incident)}"[:room] + label
