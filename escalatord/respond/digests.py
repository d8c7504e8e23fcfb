"""Answers to a message that told of several incidents: its code means all of them, each waits like any page."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from escalatord.core.events import Ack, PassOn
from escalatord.core.incident import Incident, Via
from escalatord.core.roster import ChannelKind
from escalatord.core.telling import Handles
from escalatord.core.wording_digest import CALL_OFFS, Item, digest_words
from escalatord.respond import EnginePort, Reader, answer
from escalatord.respond.callers import CodedPage, epoch_for, track_meant
from escalatord.respond.reply_text import Heard, heard
from escalatord.store.rows import OutboxRow

ANSWERS_AT_ONCE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class CodedDigest:
    """A message of several pages that a person can answer by its code; `pages` are what it asked them for."""

    person: str
    code: str
    pages: tuple[CodedPage, ...]


def digests_of(tx: Reader, people: Sequence[str], now: datetime) -> list[CodedDigest]:
    """Return every digest that these people's answers may mean now, the oldest first."""
    found = [digest for person in people for digest in tx.digests_of(person, now)]
    members = tx.members_of([digest.reference for digest in found]) if found else {}
    incidents = tx.load({each.incident for group in members.values() for each in group}) if found else {}
    coded = []
    for digest in found:
        meant = {
            each.incident: each.track
            for each in members.get(digest.reference, ())
            if each.kind not in CALL_OFFS and each.incident in incidents
        }
        pages = tuple(_page(digest.person, digest.code, incidents[number], track) for number, track in meant.items())
        coded.append(CodedDigest(person=digest.person, code=digest.code, pages=pages))
    return coded


def with_digests(pages: Sequence[CodedPage], digests: Sequence[CodedDigest]) -> list[CodedPage]:
    """Return pages with those that only a digest told of; each incident once for each person."""
    found = {(page.person, page.incident.number): page for page in pages}
    for digest in digests:
        for page in digest.pages:
            found.setdefault((page.person, page.incident.number), page)
    return sorted(found.values(), key=lambda page: (page.incident.number, page.code))


async def acked(engine: EnginePort, pages: Sequence[CodedPage], via: Via, detail: str) -> list[Heard]:
    """Ack pages, many at a time, and return what each came to."""
    events = [
        Ack(
            person=page.person,
            via=via,
            track=page.track.name,
            epoch=epoch_for(page.track, page.person),
            detail=detail,
        )
        for page in pages
    ]
    return await _answered(engine, pages, events)


async def passed_on(engine: EnginePort, pages: Sequence[CodedPage], via: Via) -> list[Heard]:
    """Pass pages on, many at a time, and return what each came to."""
    events = [
        PassOn(person=page.person, via=via, track=page.track.name, epoch=epoch_for(page.track, page.person))
        for page in pages
    ]
    return await _answered(engine, pages, events)


def told_by(tx: Reader, row: OutboxRow) -> tuple[CodedPage, ...]:
    """Return the pages that the digest of an attempt asked its reader for."""
    members = [each for each in tx.members_of([row.reference]).get(row.reference, ()) if each.kind not in CALL_OFFS]
    incidents = tx.load({each.incident for each in members})
    return tuple(
        _page(row.person, "", incidents[each.incident], each.track) for each in members if each.incident in incidents
    )


def spoken(tx: Reader, row: OutboxRow) -> tuple[str, ...]:
    """Return what a call of a digest says when it is answered now; one sentence when nobody is needed any more."""
    items = [Item(kind=row.kind, incident=page.incident) for page in told_by(tx, row) if page.waits]
    if not items:
        return ("Nobody is needed any more. Go back to sleep.",)
    return digest_words(items, Handles(), ChannelKind.CALL).speech


async def _answered(engine: EnginePort, pages: Sequence[CodedPage], events: Sequence[Ack | PassOn]) -> list[Heard]:
    results: list[Heard] = []
    for start in range(0, len(pages), ANSWERS_AT_ONCE):
        some = list(zip(pages, events, strict=True))[start : start + ANSWERS_AT_ONCE]
        done = await asyncio.gather(*(answer(engine, page.incident.number, event) for page, event in some))
        results += [
            heard(engine.ruleset, each, page.person, page.track.name, page.code)
            for each, (page, _event) in zip(done, some, strict=True)
        ]
    return results


def _page(person: str, code: str, incident: Incident, track: str) -> CodedPage:
    return CodedPage(person=person, code=code, incident=incident, track=track_meant(incident, person, track))
