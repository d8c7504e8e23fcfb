"""Incidents that open alike: in a storm most differ only in what their alerts say.

Within one transaction the instant and the world stand still, so what opening comes to depends on nothing but the event.
It is worked out by `step` for the first event of a kind; for those that differ only in TOLD_BY_THE_ALERT, the incident,
its pages and its journal are filled in from that one. A property test holds the two side by side.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from operator import attrgetter

from escalatord.core.events import AlertFired
from escalatord.core.incident import Incident, Page, StepProgress, Track
from escalatord.core.ruleset import World
from escalatord.core.values import replace
from escalatord.store.rows import JournalEntry, OutboxRow

TOLD_BY_THE_ALERT = frozenset({"number", "key", "fingerprint", "title", "summary", "links", "truncated", "why"})
OPENED = "opened"
_deciding = attrgetter(
    *(name for name in AlertFired.__dataclass_fields__ if name not in TOLD_BY_THE_ALERT | {"policies"})
)


@dataclass(frozen=True, slots=True)
class Opening:
    """What opening came to: the incident, its attempts, its journal."""

    incident: Incident
    rows: tuple[OutboxRow, ...]
    entries: tuple[JournalEntry, ...]


class Openings:
    """What was opened in one transaction, by what decides how an incident opens."""

    __slots__ = ("_known", "_world")

    def __init__(self) -> None:
        self._known: dict[Hashable, Opening] = {}
        self._world: World | None = None

    def like(self, event: AlertFired, world: World) -> Opening | None:
        """Return what opening by `event` comes to, None when nothing has been opened like it yet."""
        if self._world is not world:
            self._known.clear()
            return None
        known = self._known.get(_kind(event))
        return None if known is None else _filled_in(known, event)

    def keep(self, event: AlertFired, world: World, opening: Opening) -> None:
        """Remember what `event` came to."""
        self._world = world
        self._known[_kind(event)] = opening


def _kind(event: AlertFired) -> Hashable:
    """Return all that decides how an incident opens, as far as the event tells it."""
    return tuple([policy.hash for policy in event.policies]), event.policies[0].name, _deciding(event)


def _filled_in(known: Opening, event: AlertFired) -> Opening:
    number, before, after = event.number, f"i{known.incident.number}-", f"i{event.number}-"
    incident = replace(
        known.incident,
        number=number,
        key=event.key,
        title=event.title,
        summary=event.summary,
        links=event.links,
        truncated=event.truncated,
        tracks=tuple([_renamed(track, before, after) for track in known.incident.tracks]),
    )
    rows = tuple([replace(row, incident=number, reference=after + row.reference[len(before) :]) for row in known.rows])
    entries = tuple([replace(entry, incident=number, body=_told(entry, event)) for entry in known.entries])
    return Opening(incident, rows, entries)


def _told(entry: JournalEntry, event: AlertFired) -> Mapping[str, object]:
    """Return the body of an entry; only the first one holds what the alert says."""
    if entry.kind != OPENED:
        return entry.body
    return {**entry.body, "title": event.title, "fingerprint": event.fingerprint, "why": dict(event.why)}


def _renamed(track: Track, before: str, after: str) -> Track:
    """Return a track whose attempts are those of another incident."""
    if not track.pages:
        return track
    return replace(track, pages=tuple([_page(page, before, after) for page in track.pages]))


def _page(page: Page, before: str, after: str) -> Page:
    return replace(page, steps=tuple([_step(step, before, after) for step in page.steps]))


def _step(step: StepProgress, before: str, after: str) -> StepProgress:
    return replace(step, reference=after + step.reference[len(before) :]) if step.reference else step
