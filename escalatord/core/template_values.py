"""What a template may say: plain values of a `Telling` and of the worst alert, by name.

Texts of alerts are hostile: each leaves here as one line without control characters and bounded, and only ever as an
argument of a template. A template for the public is given an allow-list and nothing else.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from escalatord.core.facts import DOWNTIME, REVENUE_LOSS, observe
from escalatord.core.gsm7 import cut, one_line, to_gsm7
from escalatord.core.incident import State, TrackState
from escalatord.core.rules import AlertRecord, Comparison
from escalatord.core.ruleset import Ruleset
from escalatord.core.telling import (
    Telling,
    at_clock,
    headline,
    open_seconds,
    paged_now,
    roughly,
    short_name,
    subject,
    time_left_seconds,
    track_of,
    what_became,
    why_you,
)
from escalatord.core.template import Audience
from escalatord.core.units import Quantity
from escalatord.core.wallclock import Style

VALUE_CHARACTERS_MAX = 500
KEY_CHARACTERS_MAX = 100
BAG_ENTRIES_MAX = 64
"""Past it: the first ones by name; a template can still not name what is not there, and falls back."""
NAMES_MAX = 5
"""Past it: the last one is how many more there are, like +3."""
SERVICE_SEPTETS_LEAST = 16

Value: TypeAlias = "str | int | bool | tuple[str, ...] | Bag"
BAGS = frozenset({"labels", "annotations", "facts", "links", "names"})
PUBLIC_NAMES = frozenset({"notice", "severity", "state", "service", "label", "opened_at", "since"})
ALL_NAMES = PUBLIC_NAMES | {
    *("title", "summary", "source", "policy", "track", "tier", "tiers", "within", "why", "standing", "late", "alerts"),
    *("code", "link", "number", "reader", "actor", "owner", "paged", "next_people", "next_at"),
    *BAGS,
}


class Bag(Mapping[str, str]):
    """Texts by name, in order of names, at most BAG_ENTRIES_MAX; each is cleaned when it is first asked for."""

    __slots__ = ("_clean", "_cleaned", "_raw", "name")

    def __init__(self, name: str, raw: Mapping[str, str], clean: Callable[[str], str]) -> None:
        self.name = name
        self._raw = {key: raw[key] for key in sorted(raw)[:BAG_ENTRIES_MAX] if len(key) <= KEY_CHARACTERS_MAX}
        self._clean = clean
        self._cleaned: dict[str, str] = {}

    def __getitem__(self, key: str) -> str:
        if key not in self._cleaned:
            self._cleaned[key] = self._clean(self._raw[key])
        return self._cleaned[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._raw)

    def __len__(self) -> int:
        return len(self._raw)


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """What a template is rendered from: the telling, the incident's worst alert (None = not known), its facts."""

    telling: Telling
    alert: AlertRecord | None = None
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Room:
    """How many septets free text may take: the title and summary, and all else of the alert. None = as long as it is.

    With any number at all every value is written in the GSM alphabet.
    """

    title: int | None = None
    rest: int | None = None


def names_for(audience: Audience) -> frozenset[str]:
    """Return the names that a template for `audience` may use."""
    return PUBLIC_NAMES if audience is Audience.PUBLIC else ALL_NAMES


def values_of(material: Material, audience: Audience, room: Room | None = None) -> dict[str, Value]:
    """Return every value by name; `room` is given for a text message."""
    title, rest = _cutters(room)
    told = material.telling
    incident, track = told.incident, track_of(told)
    alert = material.alert.alert if material.alert else None
    service = subject(incident) if room is None or room.rest is None else cut(to_gsm7(subject(incident)), _least(room))
    values: dict[str, Value] = {
        "notice": told.kind.value,
        "severity": incident.severity.value,
        "state": _state(told),
        "service": to_gsm7(service) if room else service,
        "label": incident.label,
        "opened_at": at_clock(incident.opened_at, told.zone, Style.CLOCK_ZONE),
        "since": roughly(open_seconds(incident, told.now)),
        "title": title(headline(incident)),
        "summary": title(one_line(incident.summary[:VALUE_CHARACTERS_MAX])),
        "source": rest(one_line(incident.source)),
        "policy": incident.policy,
        "track": track.name,
        "tier": told.tier,
        "tiers": max(told.tiers, told.tier),
        "within": _time_left(told),
        "why": why_you(told),
        "standing": what_became(told),
        "late": told.late,
        "alerts": sum(incident.firing),
        "code": told.handles.code,
        "link": told.handles.link,
        "number": told.handles.number,
        "reader": _named(told, told.person),
        "actor": _named(told, told.actor),
        "owner": _named(told, track.owner),
        "paged": _names(told, paged_now(track)),
        "next_people": _names(told, told.next_people),
        "next_at": at_clock(told.next_at, told.zone, Style.CLOCK_ZONE) if told.next_at else "",
        "labels": Bag("labels", alert.labels if alert else {}, rest),
        "annotations": Bag("annotations", alert.annotations if alert else {}, rest),
        "facts": Bag("facts", material.facts, rest),
        "links": Bag("links", incident.links, lambda url: _whole(url, rest)),
        "names": Bag("names", told.names, lambda name: one_line(name)[:KEY_CHARACTERS_MAX]),
    }
    allowed = names_for(audience)
    return {name: value for name, value in values.items() if name in allowed}


def worst_of(records: Sequence[AlertRecord]) -> AlertRecord | None:
    """Return the alert that speaks for an incident: firing before not, then the worst, then the first; None of none."""
    return min(
        records,
        key=lambda record: (not record.firing, -(record.severity.rank if record.severity else -1), record.opened_at),
        default=None,
    )


def measured(record: AlertRecord | None, ruleset: Ruleset, now: datetime) -> dict[str, str]:
    """Return what the rules can measure of an alert now, as text with its unit; what cannot be had is left out."""
    if record is None:
        return {}
    service = ruleset.services.get(record.alert.labels.get("service", ""))
    told: dict[str, str] = {}
    for name in (DOWNTIME, REVENUE_LOSS, *ruleset.facts):
        comparison = Comparison(fact=name, op=">=", limit=Quantity(0.0), text=name)
        quantity, _changes = observe(comparison, record, service, ruleset.facts, now)
        if quantity is not None:
            told[name] = _money(quantity) if name == REVENUE_LOSS else str(quantity)
    return told


# ----------------------------------------------------------------------------------------------------- private


def _cutters(room: Room | None) -> tuple[Callable[[str], str], Callable[[str], str]]:
    """Return how titles, and how other texts of an alert, are made harmless and short."""
    if room is None:
        return _harmless, _harmless

    def cutter(septets: int | None) -> Callable[[str], str]:
        if septets is None:
            return lambda text: to_gsm7(_harmless(text))
        return lambda text: cut(to_gsm7(_harmless(text)), septets)

    return cutter(room.title), cutter(room.rest)


def _harmless(text: str) -> str:
    return one_line(text[:VALUE_CHARACTERS_MAX])


def _whole(url: str, clean: Callable[[str], str]) -> str:
    """Return an address whole or not at all: half of one leads nowhere."""
    kept = clean(url)
    return kept if kept == url else ""


def _least(room: Room) -> int:
    return max(room.rest or 0, SERVICE_SEPTETS_LEAST)


def _state(told: Telling) -> str:
    track = track_of(told)
    if told.incident.state is State.RESOLVED or track.state is TrackState.ENDED:
        return State.RESOLVED.value
    return (State.ACKNOWLEDGED if track.state is TrackState.ACKNOWLEDGED else State.OPEN).value


def _time_left(told: Telling) -> str:
    left = time_left_seconds(told)
    return roughly(left) if left else ""


def _named(told: Telling, person: str) -> str:
    return short_name(told.names, person) if person else ""


def _names(told: Telling, people: Sequence[str]) -> tuple[str, ...]:
    shown = [short_name(told.names, person) for person in people[:NAMES_MAX]]
    if len(people) > NAMES_MAX:
        shown[-1] = f"+{len(people) - NAMES_MAX + 1}"
    return tuple(shown)


def _money(quantity: Quantity) -> str:
    """Return an amount as one says it: nobody counts the cents of an outage."""
    return f"{quantity.value:,.0f} {quantity.unit}".strip()
