"""What is answered to a human: who owns it *now*, in one text message.

Every sentence is made from the committed result, never from what was asked. A confidential case is named by its code.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from escalatord.core.bundle import services_of
from escalatord.core.gsm7 import Cut, cut, fit, one_line, to_gsm7
from escalatord.core.incident import Incident, Reason, State, Track, TrackState
from escalatord.core.quorum import needed
from escalatord.core.ruleset import Ruleset
from escalatord.core.telling import (
    SHORT_SEVERITY,
    VIA_WORDS,
    at_clock,
    exactly,
    headline,
    join_names,
    open_seconds,
    paged_now,
    pages_again_at,
    roughly,
    short_name,
    subject,
)
from escalatord.core.wallclock import Style
from escalatord.engine.commands import Answered
from escalatord.respond.callers import CodedPage

QUOTE_SEPTETS_LEAST = 12
LISTED_MAX = 6
DIGEST_LISTED_MAX = 20
LISTED_TITLE_SEPTETS_MAX = 40
CLOCK_SECONDS_MAX = 20 * 3600
"""How far ahead an hour without its day is not taken for another day's."""
NOT_ON_RECORD = " It goes on record when the database is back."
SAYS_NOTHING = "Reply a code to ack it (K7), K7N to pass it on, K7U to undo, K7+ to join."


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """An answer with what it came to, for the one who gave it; `code` "" where codes mean nothing (a page, a chat)."""

    answered: Answered
    person: str
    track: str
    code: str = ""
    zone: str = "UTC"
    names: Mapping[str, str] = field(default_factory=dict)


def heard(ruleset: Ruleset, answered: Answered, person: str, track: str, code: str = "") -> Heard:
    """Return `answered` with the names and the zone its reader needs."""
    reader = ruleset.people.get(person)
    return Heard(
        answered=answered,
        person=person,
        track=track,
        code=code,
        zone=reader.timezone if reader else "UTC",
        names={who.id: who.name for who in ruleset.people.values()},
    )


def outcome_text(result: Heard) -> str:
    """Return what an answer came to, at most one segment long; total over reasons and states."""
    said = _outcome(result)
    return said if result.answered.on_record else fit([Cut(said), NOT_ON_RECORD])


def _outcome(result: Heard) -> str:  # noqa: PLR0911 - one sentence for each reason
    incident = result.answered.incident
    if incident is None:
        return "That page is not known here any more. Nothing changed."
    track = incident.track(result.track) or incident.main
    match result.answered.reason:
        case Reason.ACKNOWLEDGED | Reason.TAKEN_OVER | Reason.SNOOZED:
            return _yours(result, incident, track)
        case Reason.ACKNOWLEDGED_LATE:
            return _yours_late(result, incident, track)
        case Reason.ACK_COUNTED:
            return _counted(result, incident, track)
        case Reason.ACK_EXTENDED:
            return fit(["OK: you keep ", *_name(result, incident), _until(result, incident, track)])
        case Reason.JOINED_RESPONSE:
            return fit(
                ["OK: you joined ", *_name(result, incident), f". {short_name(result.names, track.owner)} owns it."]
            )
        case Reason.PASSED_ON | Reason.MANUAL | Reason.UNACKNOWLEDGED:
            is_back = result.answered.reason is Reason.UNACKNOWLEDGED
            done = f" {'is open again' if is_back else 'passed on'}. {_standing(result, incident, track)}"
            return fit(["OK: ", *_name(result, incident), done])
        case Reason.MITIGATED:
            return fit(["OK: ", *_name(result, incident), " is mitigated. ", _standing(result, incident, track)])
        case Reason.NOTED:
            return fit(["OK: noted on ", *_name(result, incident), "."])
        case Reason.RESOLVED:
            return fit(["OK: ", *_name(result, incident), " is closed. Those who were paged are told."])
        case Reason.RESOLVE_NEEDS_DECISION:
            return fit(
                [*_name(result, incident), " has a statutory clock: sign in and write down the decision to close it."]
            )
        case Reason.SNOOZE_REFUSED:
            return fit([*_name(result, incident), " cannot be snoozed. ", _standing(result, incident, track)])
        case Reason.NOT_ACKNOWLEDGED:
            return fit(
                [*_name(result, incident), " is not acked, nothing to undo. ", _standing(result, incident, track)]
            )
        case Reason.STALE_TIER | Reason.STALE_ANSWER:
            return fit([*_name(result, incident), ": too late, nothing changed. ", _standing(result, incident, track)])
        case _:
            return standing_text(result)


def standing_text(result: Heard) -> str:
    """Return how things stand for the one who asked, when their answer changed nothing (or they only asked)."""
    incident = result.answered.incident
    if incident is None:
        return "That page is not known here any more."
    track = incident.track(result.track) or incident.main
    join = f" Reply {result.code}+ to join." if result.code else ""
    if incident.state is State.RESOLVED or track.state is TrackState.ENDED:
        return fit([*_name(result, incident), f" is over. {_standing(result, incident, track)} No action needed."])
    if track.state is TrackState.ACKNOWLEDGED and track.acked_at and track.owner == result.person:
        at = at_clock(track.acked_at, result.zone, Style.SECONDS)
        again = Cut(_again(result, incident, track), whole=True)
        return fit([*_name(result, incident), f" is already yours (acked {at}).", again])
    if track.state is TrackState.ACKNOWLEDGED and track.acked_at:
        at = at_clock(track.acked_at, result.zone, Style.SECONDS)
        how = f" ({VIA_WORDS[track.acked_via]})" if track.acked_via else ""
        owner = short_name(result.names, track.owner)
        return fit([*_name(result, incident), f" was acked by {owner} at {at}{how}. You are off the hook.", join])
    if result.person in track.acks:
        return _counted(result, incident, track)
    ack = f" Reply {result.code} to ack." if result.code else ""
    return fit([*_name(result, incident), f" is not acked. {_standing(result, incident, track)}", ack])


def several_text(results: Sequence[Heard], left: int = 0) -> str:
    """Return what became of several pages acked by one message; `left` counts those beyond the limit."""
    mine: list[Heard] = []
    theirs: list[Heard] = []
    for result in results:
        incident = result.answered.incident
        track = (incident.track(result.track) or incident.main) if incident else None
        is_mine = track is not None and track.state is TrackState.ACKNOWLEDGED and track.owner == result.person
        (mine if is_mine else theirs).append(result)
    names = ", ".join(_short(result) for result in mine)
    at = f" (acked {at_clock(results[0].answered.at, results[0].zone, Style.SECONDS)})" if results else ""
    others = " Not yours: " + ", ".join(result.code for result in theirs) + ", reply a code to see." if theirs else ""
    more = f" {left} more wait, reply ALL again." if left else ""
    return fit(
        [f"OK: you own {len(mine)}: " if mine else "Nothing acked.", Cut(names), f"{at}." if mine else "", others, more]
    )


def which_text(waiting: Sequence[CodedPage]) -> str:
    """Return the question which of several pages is meant; those of one message have one code."""
    waiting, all_waiting = _one_each(waiting), waiting
    shown = waiting[:LISTED_MAX]
    parts: list[str | Cut] = [f"{len(all_waiting)} open pages: "]
    for place, page in enumerate(shown):
        parts += [", " if place else "", page.code, Cut(f" {_what(page.incident)}")]
    more = f" and {len(waiting) - len(shown)} more" if len(waiting) > len(shown) else ""
    if len(shown) > 2:  # noqa: PLR2004 - two codes are said, more are not repeated
        return fit([*parts, more, ". Which? Reply its code or ALL."])
    return fit([*parts, f". Which? Reply {', '.join(page.code for page in shown)} or ALL."])


def unclear_text(said: str, waiting: Sequence[CodedPage]) -> str:
    """Return that nothing was understood, and what can be answered."""
    quote: list[str | Cut] = ['Did not understand "', Cut(one_line(said), 1, QUOTE_SEPTETS_LEAST), '". Nothing acked. ']
    if not waiting:
        return fit([*quote, "No page waits for you. Reply ? for help."])
    return fit([*quote, *_open(waiting), f" Reply {waiting[0].code} to ack or ? for help."])


def help_text(waiting: Sequence[CodedPage]) -> str:
    """Return how to answer, and what is open."""
    return fit([SAYS_NOTHING, " ", *(_open(waiting) if waiting else ["No page waits for you."])])


def nothing_waits_text() -> str:
    """Return the answer to an ack without a code when nothing waits."""
    return "No page waits for you. Nothing acked. Reply ? for help."


def unknown_code_text(code: str, waiting: Sequence[CodedPage]) -> str:
    """Return that a code stands for nothing with this person."""
    said = [f"{code} is not one of your pages. Nothing acked. "]
    return fit([*said, *(_open(waiting) if waiting else ["No page waits for you."])])


def list_text(page: CodedPage, titles: Sequence[str], firing: int) -> str:
    """Return the alerts behind a page."""
    if page.incident.confidential:
        return fit([page.code, " is confidential. No details here, sign in."])
    bundle = page.incident.bundle
    count = f": {firing} alert{'' if firing == 1 else 's'}."
    if bundle is not None and len(bundle.services) > 1:
        services = services_of(bundle)
        named = [f"{name} {alerts}" for name, alerts in services]
        cuts = [
            Cut(f"{',' if place else ''} {to_gsm7(one_line(name))}", -place, whole=True)
            for place, name in enumerate(named)
        ]
        head = f"{count[:-1]}, {len(services)} services:"
        return fit([page.code, Cut(f" {subject(page.incident)}", 1), head, *cuts[:DIGEST_LISTED_MAX]])
    shown = [cut(to_gsm7(one_line(title)), LISTED_TITLE_SEPTETS_MAX) for title in titles]
    listed = [Cut(f"{';' if place else ''} {title}", -place, whole=True) for place, title in enumerate(shown)]
    return fit([page.code, Cut(f" {subject(page.incident)}", 1), count, *listed])


def digest_text(code: str, results: Sequence[Heard]) -> str:
    """Return what became of all pages of one message: how many are the reader's, how many went on or are over."""
    counts = {"yours": 0, "passed on": 0, "held by others": 0, "over": 0, "still open": 0}
    for result in results:
        counts[_where_it_is(result)] += 1
    said = ", ".join(f"{count} {where}" for where, count in counts.items() if count)
    at = f" ({at_clock(results[0].answered.at, results[0].zone, Style.SECONDS)})" if results else ""
    return fit([f"{code}: {said or 'nothing waits in it any more'}{at}."])


def digest_list_text(code: str, pages: Sequence[CodedPage]) -> str:
    """Return what one message told of, the worst that still waits first."""
    waiting = sorted(
        (page for page in pages if page.waits), key=lambda page: (-page.incident.severity.rank, page.incident.number)
    )
    lines = [f"{SHORT_SEVERITY[page.incident.severity]} {_what(page.incident)}" for page in waiting]
    listed = [Cut(f"{';' if place else ''} {to_gsm7(line)}", -place, whole=True) for place, line in enumerate(lines)]
    head = f"{code}: {len(waiting)} of {len(pages)} wait." if waiting else f"{code}: none of {len(pages)} waits."
    reply = f" Reply {code} to ack all." if waiting else ""
    return fit([head, *listed[:DIGEST_LISTED_MAX], reply])


def digest_help_text(code: str, count: int) -> str:
    """Return what can be answered to a message that told of several pages."""
    said = f"{code} stands for {count} pages. Nothing changed."
    return fit([f"{said} Reply {code} to ack all, {code}N to pass all on, {code}L to list."])


# ------------------------------------------------------------------------------------------------------- pieces


def _where_it_is(result: Heard) -> str:
    """Return where a page is after an answer to several."""
    incident = result.answered.incident
    track = (incident.track(result.track) or incident.main) if incident is not None else None
    if incident is None or track is None or incident.state is State.RESOLVED or track.state is TrackState.ENDED:
        return "over"
    if track.state is TrackState.ACKNOWLEDGED:
        return "yours" if track.owner == result.person else "held by others"
    return "passed on" if result.answered.reason is Reason.PASSED_ON else "still open"


def _yours(result: Heard, incident: Incident, track: Track) -> str:
    at = track.acked_at or result.answered.at
    if track.owner != result.person:
        return _shared(result, incident, track)
    took = exactly((at - incident.opened_at).total_seconds())
    acked = f" (acked {at_clock(at, result.zone, Style.SECONDS)}, {took})."
    undo = f" {result.code}U undoes." if result.code else ""
    return fit(
        ["OK: you own ", *_name(result, incident), acked, Cut(_again(result, incident, track), 3, whole=True), undo]
    )


def _counted(result: Heard, incident: Incident, track: Track) -> str:
    """Say that the ack counts, how many are still needed, and who is being paged for them."""
    acks = f", {len(track.acks)} of {needed(track)} needed."
    people = paged_now(track)
    verb = "are" if len(people) > 1 else "is"
    others = Cut(f" {join_names(result.names, people)} {verb} still being paged." if people else "", 3, whole=True)
    undo = f" {result.code}U undoes." if result.code else ""
    return fit(["OK: your ack of ", *_name(result, incident), " counts", acks, others, undo])


def _shared(result: Heard, incident: Incident, track: Track) -> str:
    """Say to one of several who have it that there are enough now, and whose it is."""
    owner = short_name(result.names, track.owner)
    others = join_names(result.names, [person for person in track.acks if person != result.person])
    enough = f": {len(track.acks)} acks are enough. You have it with {others}; {owner} owns it."
    return fit(["OK: ", *_name(result, incident), Cut(enough, 3, whole=True)])


def _yours_late(result: Heard, incident: Incident, track: Track) -> str:
    """Say where it had gone meanwhile, and that it came back."""
    before = result.answered.before
    was = before.track(result.track) if before else None
    now = at_clock(result.answered.at, result.zone)
    if was is None or was.entered_at is None or not was.pages or track.owner != result.person:
        return _yours(result, incident, track)
    people = join_names(result.names, paged_now(was))
    where = "the last resort" if was.state is TrackState.LAST_RESORT else f"tier {was.tier}"
    moved = f" moved to {people} ({where}) at {at_clock(was.entered_at, result.zone)} before your reply {now}."
    has = "have" if len(was.pages) > 1 else "has"
    code = result.code or "it"
    told = f" {people} {has} not acked. You now own {code}; {people} {'were' if len(was.pages) > 1 else 'was'} told."
    return fit([*_name(result, incident), Cut(moved, 6, whole=True), told])


def _standing(result: Heard, incident: Incident, track: Track) -> str:
    """Return in one sentence who has it now."""
    if incident.state is State.RESOLVED or track.state is TrackState.ENDED:
        ended = incident.resolved_at or incident.recovered_at
        since = roughly(open_seconds(incident, result.answered.at))
        by = f" by {short_name(result.names, incident.resolved_by)}" if incident.resolved_by else ""
        return f"Closed{by} {at_clock(ended, result.zone)} (open {since})." if ended else f"Open for {since}."
    people = join_names(result.names, paged_now(track))
    if track.state is TrackState.ACKNOWLEDGED:
        return f"{short_name(result.names, track.owner)} has it."
    if track.state is TrackState.LAST_RESORT:
        return f"No tier is left: the last resort ({people}) is being paged."
    verb = "are" if len(paged_now(track)) > 1 else "is"
    return f"{people} {verb} being paged (tier {track.tier})." if people else "Nobody is being paged."


def _again(result: Heard, incident: Incident, track: Track) -> str:
    again = pages_again_at(incident, track.name)
    return f" Re-pages you at {_clock_or_day(again, result)} if still open." if again else ""


def _until(result: Heard, incident: Incident, track: Track) -> str:
    again = pages_again_at(incident, track.name)
    undo = f" {result.code}U gives it back." if result.code else ""
    return f" until {_clock_or_day(again, result)}.{undo}" if again else f".{undo}"


def _clock_or_day(at: datetime, result: Heard) -> str:
    is_far = (at - result.answered.at).total_seconds() > CLOCK_SECONDS_MAX
    return at_clock(at, result.zone, Style.DATE if is_far else Style.CLOCK)


def _name(result: Heard, incident: Incident) -> list[str | Cut]:
    code = result.code or incident.label
    return [code, Cut(f" {_what(incident)}", 4)]


def _what(incident: Incident) -> str:
    """Return the words for an incident that may be said to its own people: never those of a confidential case."""
    return "(confidential)" if incident.confidential else subject(incident)


def _short(result: Heard) -> str:
    incident = result.answered.incident
    return f"{result.code} {_what(incident)}".strip() if incident else result.code


def _one_each(waiting: Sequence[CodedPage]) -> list[CodedPage]:
    """Return one page for each code, the first of it."""
    return list({(page.person, page.code): page for page in reversed(waiting)}.values())[::-1]


def _open(waiting: Sequence[CodedPage]) -> list[str | Cut]:
    shown = _one_each(waiting)[:LISTED_MAX]
    parts: list[str | Cut] = ["Open: "]
    for place, page in enumerate(shown):
        title = "" if page.incident.confidential else f" {headline(page.incident)}"
        parts += [
            ", " if place else "",
            page.code,
            Cut(f" {_what(page.incident)}", 3),
            Cut(title if len(shown) == 1 else "", 2),
        ]
    return [*parts, "."]
