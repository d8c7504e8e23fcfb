"""Incidents that differ only in their words: what an alert says to the one that it opens, and nothing is decided by.

In a storm hundreds of incidents are alike. What is worked out for one of them counts for the others.
"""

from collections.abc import Mapping
from typing import NamedTuple

from escalatord.core.incident import Incident, Page, StepProgress, Track
from escalatord.core.values import replace


class Said(NamedTuple):
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


NO_WORDS = Said(number=0, key="", fingerprint="", title="", summary="", links={}, why={})


def filled_in(incident: Incident, words: Said) -> Incident:
    """Return what an incident would be that opened alike, by these words."""
    before, after = incident.number, words.number
    return replace(
        incident,
        number=words.number,
        key=words.key,
        title=words.title,
        summary=words.summary,
        links=words.links,
        tracks=tuple([_renamed(track, before, after) for track in incident.tracks]),
    )


def renamed(reference: str, before: int, after: int) -> str:
    """Return what the attempt of incident `before` is called where it is one of incident `after`."""
    return f"i{after}-{reference.removeprefix(f'i{before}-')}"


def _renamed(track: Track, before: int, after: int) -> Track:
    """Return a track whose attempts are those of another incident."""
    if not track.pages:
        return track
    return replace(track, pages=tuple([_page(page, before, after) for page in track.pages]))


def _page(page: Page, before: int, after: int) -> Page:
    return replace(page, steps=tuple([_step(step, before, after) for step in page.steps]))


def _step(step: StepProgress, before: int, after: int) -> StepProgress:
    return replace(step, reference=renamed(step.reference, before, after)) if step.reference else step
