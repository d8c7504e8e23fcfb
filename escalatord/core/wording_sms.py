"""The words of a text message: one segment of 160 septets in the GSM alphabet.

What is cut, in this order: the title, why the reader is paged, the service, the reader's standing. Never the severity,
the code, the verb or the link. When these alone pass one segment (a very long external address), two segments go out.
"""

from typing import assert_never

from escalatord.core.gsm7 import SEPTETS_MAX, Cut, fit
from escalatord.core.incident import NoticeKind, Reason, TrackState
from escalatord.core.milestones import is_past_due
from escalatord.core.telling import (
    SHORT_SEVERITY,
    VIA_WORDS,
    Telling,
    at_clock,
    headline,
    in_hours,
    join_names,
    muted_by,
    open_seconds,
    pages_again_at,
    roughly,
    roughly_hours,
    short_name,
    subject,
    time_left_seconds,
    track_of,
    what_became,
    what_is_past_due,
    why_you,
)
from escalatord.core.wallclock import Style

TITLE_SEPTETS_LEAST = 30
SERVICE_SEPTETS_LEAST = 16
BUNDLE_SEPTETS_LEAST = 40
QUESTION_MINUTES = 10


def text_of(telling: Telling) -> str:
    """Return the text message for any notice."""
    if telling.confidential:
        return confidential_text(telling)
    match telling.kind:
        case NoticeKind.PAGE | NoticeKind.DIGEST:
            return _page(telling) if telling.incident.bundle is None else _bundle(telling)
        case NoticeKind.REMIND:
            return _remind(telling)
        case NoticeKind.LAST_RESORT:
            return _last_resort(telling)
        case NoticeKind.ACK_QUESTION:
            return _question(telling)
        case NoticeKind.ACKED:
            return _acked(telling)
        case NoticeKind.STAND_DOWN:
            return _stand_down(telling)
        case NoticeKind.UPDATE:
            again = "fires again" if telling.reason is Reason.REOPENED else ""
            return fit(
                [*_name(telling), f" {again}. " if again else ". ", Cut(what_became(telling), 2), *_link(telling)]
            )
        case NoticeKind.STATUTORY:
            return _statutory(telling)
        case NoticeKind.MILESTONE:
            return _milestone(telling)
        case NoticeKind.HANDOVER:
            return _handover(telling)
        case _:
            assert_never(telling.kind)


def confidential_text(telling: Telling, limit: int = SEPTETS_MAX) -> str:
    """Return all that any channel may say of a confidential case: its code, its clock, and where to sign in."""
    parts: list[str | Cut]
    name = f"CONFIDENTIAL case {telling.handles.code or telling.incident.label}"
    sign_in = ["\n", telling.handles.link] if telling.handles.link else []
    clock = _clock(telling)
    match telling.kind:
        case NoticeKind.PAGE | NoticeKind.REMIND | NoticeKind.LAST_RESORT | NoticeKind.DIGEST:
            ends = f" {clock}." if clock else ""
            parts = [
                name,
                " needs you.",
                Cut(ends, 2, whole=True),
                Cut(" No details here.", whole=True),
                " Sign in:",
                *sign_in,
            ]
        case NoticeKind.ACK_QUESTION:
            parts = [name, " is still open. Is it still yours? Sign in:", *sign_in]
        case NoticeKind.ACKED if telling.person in track_of(telling).acks:
            parts = [name, " has enough acks. You are one of them."]
        case NoticeKind.ACKED:
            parts = [name, " was taken. No action needed."]
        case NoticeKind.STAND_DOWN:
            parts = [name, " is closed. No action needed."]
        case NoticeKind.UPDATE:
            parts = [name, " changed. Sign in:", *sign_in]
        case NoticeKind.STATUTORY:
            parts = [
                name,
                ": ",
                _time_left(telling),
                Cut(f" {clock}." if clock else "", 2, whole=True),
                " Sign in:",
                *sign_in,
            ]
        case NoticeKind.MILESTONE:
            parts = [name, " is yours and overdue. Sign in:", *sign_in]
        case NoticeKind.HANDOVER:
            parts = [name, " is still held by somebody whose shift is over. Sign in:", *sign_in]
        case _:
            assert_never(telling.kind)
    return fit(parts, limit)


# ----------------------------------------------------------------------------------------------- one per notice


def _page(telling: Telling) -> str:
    left = time_left_seconds(telling)
    late = f"LATE, open {roughly(open_seconds(telling.incident, telling.now))}. " if telling.late else ""
    why = why_you(telling)
    place = f"tier {telling.tier}/{max(telling.tiers, telling.tier)}"
    first = telling.tier <= 1
    if first and not why:
        standing = f"You: {place}, {roughly(left)} to ack." if left else f"You: {place}."
    else:
        standing = f"{'you are' if why else 'You are'} {place}{f', {roughly(left)}' if left else ''}."
    said: list[str | Cut] = [late, Cut(f"{why}; " if why else "", 3, whole=True), Cut(standing, 5, whole=True)]
    return fit([*_severe_name(telling), _title(telling), ". ", *said, *_reply(telling, pass_on=first)])


def _bundle(telling: Telling) -> str:
    """Return the page of a storm: how many, what probably broke, one code for all."""
    incident = telling.incident
    code = telling.handles.code
    severity = SHORT_SEVERITY[incident.severity]
    late = f"LATE, open {roughly(open_seconds(incident, telling.now))}. " if telling.late else ""
    why = why_you(telling)
    reply = [f"\nReply {code} to ack all, {code}L to list", *_link(telling)] if code else _reply(telling)
    said: list[str | Cut] = [late, Cut(f"{why}. " if why else "", 3, whole=True), f"Bundle {code or incident.label}."]
    return fit([f"{severity} ", Cut(headline(incident), 1, BUNDLE_SEPTETS_LEAST), ". ", *said, *reply])


def _remind(telling: Telling) -> str:
    left = time_left_seconds(telling)
    followers = join_names(telling.names, telling.next_people)
    waits = f" Not acked yet: {roughly(left)} left" if left else " Not acked yet"
    then = Cut(f", then {followers}" if followers and left else "", 3, whole=True)
    name = _severe_name(telling)
    return fit([*name, _title(telling), ".", Cut(waits, 5, whole=True), then, ".", *_reply(telling, pass_on=True)])


def _last_resort(telling: Telling) -> str:
    if is_past_due(track_of(telling)):
        said = f": {what_is_past_due(telling)}. You are the last resort."
        return fit([*_name(telling), said, Cut(f" {headline(telling.incident)}."), *_reply(telling)])
    failed = f"ALL {telling.tiers} tiers" if telling.tiers > 1 else "the only tier"
    since = roughly(open_seconds(telling.incident, telling.now))
    said = f": {failed} failed to ack in {since}. You are the last resort."
    return fit([*_name(telling), said, Cut(f" {headline(telling.incident)}."), *_reply(telling)])


def _question(telling: Telling) -> str:
    track = track_of(telling)
    since = roughly((telling.now - track.acked_at).total_seconds()) if track.acked_at else "a while"
    code = telling.handles.code
    keep = f" Reply {code} to keep it {roughly(telling.hold_seconds)} more." if code else ""
    silence = f" No reply in {QUESTION_MINUTES}m re-pages tier {max(track.tier, 1)}."
    fires = f" still firing {since} after your ack."
    if telling.stale:
        fires = f" fires for {roughly(open_seconds(telling.incident, telling.now))}. Stale? Then close it."
    return fit([*_name(telling), fires, keep, silence, *(() if code else _link(telling))])


def _acked(telling: Telling) -> str:
    track = track_of(telling)
    code = telling.handles.code
    if is_past_due(track) and track.state is TrackState.WAITING:
        actor = short_name(telling.names, telling.actor)
        did = "says it is mitigated" if telling.reason is Reason.MITIGATED else "gave an update"
        return fit([*_name(telling), f": {actor} {did}. You are off the hook."])
    if track.state is not TrackState.ACKNOWLEDGED or track.acked_at is None:
        return fit([*_name(telling), ". ", Cut(what_became(telling), 2)])
    at = at_clock(track.acked_at, telling.zone, Style.SECONDS)
    if track.owner == telling.person:
        others = join_names(telling.names, [person for person in track.acks if person != telling.person])
        with_you = f" with {others}" if others else ""
        again = pages_again_at(telling.incident, track.name)
        until = f" Re-pages you at {at_clock(again, telling.zone)} if still open." if again else ""
        undo = f" {code}U undoes." if code else ""
        return fit(["OK: you own ", *_name(telling), f"{with_you} (acked {at}).", Cut(until, whole=True), undo])
    owner = short_name(telling.names, track.owner)
    if telling.person in track.acks and telling.reason is not Reason.TAKEN_OVER:
        return fit([*_name(telling), f" has enough acks at {at}: you and {owner} have it, {owner} owns it."])
    how = VIA_WORDS[track.acked_via] if track.acked_via else "web"
    verb = "was taken over by" if telling.reason is Reason.TAKEN_OVER else "was acked by"
    join = f" Reply {code}+ to join." if code else ""
    return fit([*_name(telling), f" {verb} {owner} at {at} ({how}).", " You are off the hook.", join])


def _stand_down(telling: Telling) -> str:
    incident = telling.incident
    ended = at_clock(incident.resolved_at or incident.recovered_at or telling.now, telling.zone)
    by = f" was closed by {short_name(telling.names, incident.resolved_by)}" if incident.resolved_by else " recovered"
    since = roughly(open_seconds(incident, telling.now))
    if muted := muted_by(incident):
        said: list[str | Cut] = [
            f" still fires and is muted since {ended} (open {since})",
            Cut(f": {muted}", 2),
            ". No action needed.",
        ]
        return fit(["STAND DOWN: ", *_name(telling), *said, " Good night."])
    return fit(["STAND DOWN: ", *_name(telling), f"{by} {ended} (open {since}). No action needed. Good night."])


def _statutory(telling: Telling) -> str:
    law = telling.regime.upper() or "Statutory"
    clock = _clock(telling)
    record = " Record the decision:" if telling.handles.link else " Record the decision."
    said = [
        Cut(f"{law} clock of ", 3, whole=True),
        *_name(telling),
        ": ",
        _time_left(telling),
        Cut(f" {clock}." if clock else "", 2, whole=True),
    ]
    return fit([*said, record, *_link(telling)])


def _milestone(telling: Telling) -> str:
    code = telling.handles.code
    late = roughly(open_seconds(telling.incident, telling.now))
    what = {
        Reason.UPDATE_DUE: " is yours: an update is due.",
        Reason.MITIGATION_DUE: f" is yours and not mitigated in {late}: the next tier is told.",
        Reason.RESOLUTION_DUE: f" is yours and not resolved in {late}: the last resort is told.",
    }.get(telling.reason, " is yours and overdue.")
    silent = telling.reason is Reason.UPDATE_DUE and track_of(telling).silences > 1
    told = Cut(" The next tier is told." if silent else "", 2, whole=True)
    how = f" Reply {code} and a few words, or {code}M once mitigated." if code else ""
    return fit([*_name(telling), what, told, Cut(how, 3, whole=True), *_link(telling)])


def _handover(telling: Telling) -> str:
    track = track_of(telling)
    owner = short_name(telling.names, track.owner)
    since = f" (acked {at_clock(track.acked_at, telling.zone)})" if track.acked_at else ""
    code = telling.handles.code
    take = f" Reply {code} to take it over." if code else " Take it over:"
    over = [f": {owner} still has it{since}, and that shift is over."]
    return fit([*_severe_name(telling), _title(telling), *over, take, *_link(telling)])


# ------------------------------------------------------------------------------------------------------- pieces


def _severe_name(telling: Telling) -> list[str | Cut]:
    return [SHORT_SEVERITY[telling.incident.severity], " ", *_name(telling)]


def _name(telling: Telling) -> list[str | Cut]:
    code = telling.handles.code or telling.incident.label
    return [code, Cut(f" {subject(telling.incident)}", 4, SERVICE_SEPTETS_LEAST)]


def _title(telling: Telling) -> Cut:
    return Cut(f": {headline(telling.incident)}", 1, TITLE_SEPTETS_LEAST)


def _reply(telling: Telling, *, pass_on: bool = False) -> list[str]:
    code = telling.handles.code
    if not code:
        return ["\nAck: ", telling.handles.link] if telling.handles.link else []
    said = f"\nReply {code} to ack, {code}N to pass on" if pass_on else f"\nReply {code} to ack"
    return [said, *_link(telling)]


def _link(telling: Telling) -> list[str]:
    return ["\n", telling.handles.link] if telling.handles.link else []


def _clock(telling: Telling) -> str:
    """Return the statutory clock in words, "" when none runs: 72h clock ends Fri 14:20 UTC."""
    if telling.due_at is None:
        return ""
    whole = in_hours((telling.due_at - telling.incident.opened_at).total_seconds())
    over = telling.due_at <= telling.now
    return f"{whole} clock {'ended' if over else 'ends'} {at_clock(telling.due_at, telling.zone, Style.DAY)}"


def _time_left(telling: Telling) -> str:
    if telling.due_at is None:
        return "a decision is due."
    seconds = (telling.due_at - telling.now).total_seconds()
    return f"{roughly_hours(seconds)} left." if seconds > 0 else "the period is over."
