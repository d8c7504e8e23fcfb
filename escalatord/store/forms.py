"""Rows of incidents that opened alike: written down once, with marks in place of what the alert says, then filled in.

In a storm hundreds of incidents open in one transaction and differ in a few words. Encoding each of them from objects
costs several times what filling in a text does. What is filled in reads back as what `incidents` and `outbox` would
have written, and is what `journal` would have, octet for octet; a property test holds the two side by side.
"""

from collections.abc import Mapping, Sequence
from json.encoder import encode_basestring_ascii
from typing import NamedTuple

from pydantic_core import to_json

from escalatord.core.incident import Incident, Page, StepProgress, Track
from escalatord.core.values import replace
from escalatord.store import incidents, journal, outbox
from escalatord.store.rows import JournalEntry, OutboxRow
from escalatord.store.sql import Row

OPENED = "opened"
MARK_NUMBER, MARK_KEY, MARK_TITLE, MARK_SUMMARY, MARK_LINKS = "number", "key", "title", "summary", "links"
MARK_FINGERPRINT, MARK_WHY = "fingerprint", "why"
BODY_MARKS = (MARK_NUMBER, MARK_KEY, MARK_TITLE, MARK_SUMMARY, MARK_LINKS)
ENTRY_MARKS = (MARK_FINGERPRINT, MARK_TITLE, MARK_WHY)


class Words(NamedTuple):
    """What an alert says to the incident that it opens, and nothing is decided by.

    `why` holds JSON values; texts that are the same object are written down once.
    """

    number: int
    key: str
    fingerprint: str
    title: str
    summary: str
    links: Mapping[str, str]
    why: Mapping[str, object]


MARKED = Words(
    number=2**62 - 57,
    key="<4f7e key c05d>",
    fingerprint="<4f7e fingerprint c05d>",
    title="<4f7e title c05d>",
    summary="<4f7e summary c05d>",
    links={"<4f7e links c05d>": ""},
    why={"<4f7e why c05d>": ""},
)
"""Words that no alert says, in the places where words go."""
MARKS_SHOWN = {name: to_json(value).decode() for name, value in MARKED._asdict().items()}


class Printed(NamedTuple):
    """The rows of one incident that has just opened, its journal's in order."""

    incident: Row
    entries: Sequence[Row]
    attempts: Sequence[Row]


class Form:
    """The rows of incidents that open alike, but for their words. Made by `form_of`.

    `body` is the text of the incident and `attempts` are their rows, each with the end of its reference; of `entries`
    those with a text of their own hold words, the others are the same in every chain.
    """

    __slots__ = ("_attempts", "_body", "_entries", "_incident", "_why")

    def __init__(
        self, incident: Row, body: str, entries: Sequence[tuple[Row, str]], attempts: Sequence[tuple[Row, str]]
    ) -> None:
        self._incident = incident
        self._body = body
        self._entries = entries
        self._attempts = attempts
        self._why: tuple[Mapping[str, object], str] = ({}, "{}")

    def fill(self, words: Words) -> Printed:
        """Return the rows of the incident that opens by these words; ValueError when they are not Unicode."""
        number = words.number
        body = self._body % {
            MARK_NUMBER: number,
            MARK_KEY: _json(words.key),
            MARK_TITLE: _json(words.title),
            MARK_SUMMARY: _json(words.summary),
            MARK_LINKS: _json(words.links),
        }
        entries: list[Row] = []
        end = ""
        for row, text in self._entries:
            entry = {**row, "incident": number, "prev_hash": end}
            if text:
                entry["body"] = text % {
                    MARK_FINGERPRINT: encode_basestring_ascii(words.fingerprint),
                    MARK_TITLE: encode_basestring_ascii(words.title),
                    MARK_WHY: self._why_of(words),
                }
            end = entry["hash"] = journal.hash_of(entry)
            entries.append(entry)
        attempts = [{**row, "incident": number, "reference": f"i{number}-{rest}"} for row, rest in self._attempts]
        return Printed({**self._incident, "number": number, "key": words.key, "body": body}, entries, attempts)

    def _why_of(self, words: Words) -> str:
        known, text = self._why
        if words.why is not known:
            text = journal.canonical(words.why)
            self._why = (words.why, text)
        return text


def form_of(incident: Incident, attempts: Sequence[OutboxRow], entries: Sequence[JournalEntry]) -> Form | None:
    """Return the form of incidents that open like this one, which has just done so.

    None when something in it looks like a mark (a hostile label may hold any text): then none can be made.
    """
    before = f"i{incident.number}-"
    marked = filled_in(incident, MARKED)
    row = incidents.row_of(marked)
    body = _template(row.pop("body"), BODY_MARKS)
    forms = [_entry_form(entry) for entry in entries]
    if body is None or any(text is None for _row, text in forms):
        return None
    return Form(
        row,
        body,
        [(entry, text or "") for entry, text in forms],
        [(outbox.row_of(attempt), attempt.reference.removeprefix(before)) for attempt in attempts],
    )


def filled_in(incident: Incident, words: Words) -> Incident:
    """Return what an incident would be that opened alike, by these words."""
    before, after = f"i{incident.number}-", f"i{words.number}-"
    return replace(
        incident,
        number=words.number,
        key=words.key,
        title=words.title,
        summary=words.summary,
        links=words.links,
        tracks=tuple([_renamed(track, before, after) for track in incident.tracks]),
    )


def told(entry: JournalEntry, words: Words) -> JournalEntry:
    """Return what a journal entry would be of an incident that opened alike, by these words."""
    if entry.kind != OPENED:
        return replace(entry, incident=words.number)
    said = {"title": words.title, "fingerprint": words.fingerprint, "why": words.why}
    return replace(entry, incident=words.number, body={**entry.body, **said})


def _renamed(track: Track, before: str, after: str) -> Track:
    """Return a track whose attempts are those of another incident."""
    if not track.pages:
        return track
    return replace(track, pages=tuple([_page(page, before, after) for page in track.pages]))


def _page(page: Page, before: str, after: str) -> Page:
    return replace(page, steps=tuple([_step(step, before, after) for step in page.steps]))


def _step(step: StepProgress, before: str, after: str) -> StepProgress:
    return replace(step, reference=after + step.reference.removeprefix(before)) if step.reference else step


def _entry_form(entry: JournalEntry) -> tuple[Row, str | None]:
    row = journal.row_of(told(entry, MARKED))
    return (row, "") if entry.kind != OPENED else (row, _template(row["body"], ENTRY_MARKS))


def _template(text: str, marks: Sequence[str]) -> str | None:
    """Return JSON as a text to be filled by `%`, with a place for each mark; None when one of them is not alone.

    The number alone stands in several places: an incident names its attempts by it.
    """
    text = text.replace("%", "%%")
    for mark in marks:
        shown = MARKS_SHOWN[mark]
        named = text.count(f'"reference":"i{shown}-') if mark == MARK_NUMBER else 0
        if text.count(shown) != 1 + named:
            return None
        text = text.replace(shown, f"%({mark})s")
    return text


def _json(value: object) -> str:
    return to_json(value).decode()
