"""The words of a digest: one message that tells a person of several incidents, with one code that answers for all.

Worst first. A confidential case is never in one. Alert content is hostile here as everywhere: one harmless line each.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from escalatord.core.gsm7 import Cut, fit
from escalatord.core.incident import Incident, NoticeKind, State
from escalatord.core.roster import ChannelKind
from escalatord.core.telling import SHORT_SEVERITY, Handles, Words, headline, subject
from escalatord.core.wording_speech import speakable

NAMED_MAX = 3
SPOKEN_MAX = 5
LINES_MAX = 50
TITLE_SEPTETS_LEAST = 24
CALL_OFFS = frozenset({NoticeKind.ACKED, NoticeKind.STAND_DOWN, NoticeKind.UPDATE})
MENU = "Press 4 if you have all of them. Press 8 to pass all of them on. Press 9 to hear this again."


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One thing that a digest tells of."""

    kind: NoticeKind
    incident: Incident


def digest_words(items: Sequence[Item], handles: Handles, channel: ChannelKind) -> Words:
    """Return the words of a digest for a kind of channel; `items` has one at least, and no confidential case."""
    asking = sorted((each for each in items if each.kind not in CALL_OFFS), key=lambda each: _badness(each.incident))
    quiet = [each for each in items if each.kind in CALL_OFFS]
    if channel is ChannelKind.CALL:
        speech = _spoken(asking) if asking else ("No action needed. Go back to sleep.",)
        return Words(title=speech[0], text=" ".join(speech), speech=speech)
    if channel is ChannelKind.SMS:
        text = _asking_text(asking, quiet, handles) if asking else _quiet_text(quiet)
        return Words(title=text.partition("\n")[0], text=text)
    return _written(asking, quiet, handles)


def _badness(incident: Incident) -> tuple[int, int]:
    return -incident.severity.rank, incident.number


def _asking_text(asking: Sequence[Item], quiet: Sequence[Item], handles: Handles) -> str:
    worst = asking[0].incident
    code, link = handles.code, handles.link
    reply = f"\nReply {code} to ack all, {code}L to list" if code else "\nReply ALL to ack what waits for you"
    parts: list[str | Cut] = [
        f"{SHORT_SEVERITY[worst.severity]} {_count(len(asking))} page{'s' if len(asking) == 1 else ''} you. Worst: ",
        Cut(subject(worst), 4, TITLE_SEPTETS_LEAST),
        Cut(f": {headline(worst)}", 3, TITLE_SEPTETS_LEAST),
        ".",
        Cut(_others(asking), 2, whole=True),
        Cut(f" {_count(len(quiet))} over or in hand." if quiet else "", 1, whole=True),
        reply,
    ]
    return fit([*parts, *(["\n", link] if link else [])])


def _quiet_text(quiet: Sequence[Item]) -> str:
    over = [each for each in quiet if each.incident.state is State.RESOLVED]
    held = len(quiet) - len(over)
    said = f"{_count(len(over))} {'is' if len(over) == 1 else 'are'} over" if over else ""
    said += f"{', ' if said else ''}{_count(held)} {'is' if held == 1 else 'are'} in hand" if held else ""
    names = _named(quiet)
    return fit(["STAND DOWN: ", said, Cut(f" ({names})", whole=True), ". No action needed. Good night."])


def _written(asking: Sequence[Item], quiet: Sequence[Item], handles: Handles) -> Words:
    lines: list[str] = []
    if asking:
        worst = asking[0].incident
        lines.append(f"{worst.severity.upper()} {_count(len(asking))} need you. Worst: {_line(asking[0])}")
        lines += [f"- {_line(each)}" for each in asking[:LINES_MAX]]
        lines += [f"… and {len(asking) - LINES_MAX} more"] if len(asking) > LINES_MAX else []
        lines += [f"Answer by SMS: {handles.code} acks all of them."] if handles.code else []
        lines += [f"The worst one: {handles.link}"] if handles.link else []
        lines += [f"Your number is {handles.number}: choose it on the page."] if handles.number else []
    if quiet:
        lines.append(f"{_count(len(quiet))} over or in hand, no action needed:")
        lines += [f"- {_line(each)}" for each in quiet[:LINES_MAX]]
    return Words(title=lines[0], text="\n".join(lines) + "\n")


def _spoken(asking: Sequence[Item]) -> tuple[str, ...]:
    worst = asking[0].incident
    names = [speakable(subject(each.incident)) for each in asking[1:SPOKEN_MAX]]
    also = (f"Also {', '.join(names)}{' and others' if len(asking) > SPOKEN_MAX else ''}.",) if names else ()
    what = (f"{speakable(subject(worst)).capitalize()}.", f"{speakable(headline(worst)).capitalize()}.")
    return (f"{_count(len(asking))} page you. The worst has severity {worst.severity}.", *what, *also, MENU)


def _others(asking: Sequence[Item]) -> str:
    names = _named(asking[1:])
    return f" Also {names}." if names else ""


def _named(items: Sequence[Item]) -> str:
    """Return what is broken in a few words: search, db-1 and 38 more."""
    found = list(dict.fromkeys(subject(each.incident) for each in items))
    more = len(found) - NAMED_MAX
    return ", ".join(found[:NAMED_MAX]) + (f" and {more} more" if more > 0 else "")


def _line(item: Item) -> str:
    incident = item.incident
    return f"{incident.label} {incident.severity} {subject(incident)}: {headline(incident)}"


def _count(number: int) -> str:
    return f"{number} incident{'' if number == 1 else 's'}"
