"""Incidents that open alike: in a storm most differ only in what their alerts say.

Within one transaction the instant and the world stand still, so what opening comes to depends on nothing but what was
decided about the alert. It is worked out by `step` for the first of a kind; those that differ only in their words are
written down from that one (see `store.forms`), and become objects only when something else happens to them in the same
transaction. A property test holds both beside what `step` makes of each.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import NamedTuple, TypeAlias

from escalatord.core.alert import Alert
from escalatord.core.alike import Said, filled_in, renamed
from escalatord.core.events import AlertFired
from escalatord.core.incident import Incident, Via
from escalatord.core.invariants import violations
from escalatord.core.mutes import SuppressedBy
from escalatord.core.rules import RuleReason, Verdict
from escalatord.core.ruleset import Ruleset, World
from escalatord.core.values import replace
from escalatord.engine.fired import Told, links_of, why_of
from escalatord.store.forms import Form, form_of, told
from escalatord.store.rows import JournalEntry, OutboxRow

Kind: TypeAlias = tuple[object, ...]
"""All that decides how an incident opens, beside the world."""


class Opening:
    """What opening came to: the incident, its attempts, its journal."""

    def __init__(self, incident: Incident, rows: Sequence[OutboxRow], entries: Sequence[JournalEntry]) -> None:
        self.incident = incident
        self.rows = rows
        self.entries = entries

    @cached_property
    def form(self) -> Form | None:
        """Return the form of those that open alike; None when none can be made, or this one is not sound itself."""
        return None if violations(self.incident) else form_of(self.incident, self.rows, self.entries)

    def by(self, words: Said) -> "Opening":
        """Return what opening would have come to by these words."""
        before, number = self.incident.number, words.number
        rows = [replace(row, incident=number, reference=renamed(row.reference, before, number)) for row in self.rows]
        return Opening(filled_in(self.incident, words), rows, [told(entry, words) for entry in self.entries])


class Alike(NamedTuple):
    """An incident that opened like another one, and its words."""

    opening: Opening
    words: Said


class Openings:
    """What was opened in one transaction, by what decides how an incident opens."""

    __slots__ = ("_known", "_why", "_world")

    def __init__(self) -> None:
        self._known: dict[Kind, Opening] = {}
        self._world: World | None = None
        self._why: tuple[Sequence[RuleReason], Mapping[str, object]] | None = None

    def like(self, kind: Kind, world: World) -> Opening | None:
        """Return what the first one of a kind came to, None when none has been opened yet in this world."""
        if self._world is not world:
            self._known.clear()
            return None
        return self._known.get(kind)

    def keep(self, kind: Kind, world: World, opening: Opening) -> None:
        """Remember what the first one of a kind came to."""
        self._world = world
        self._known[kind] = opening

    def words(self, ruleset: Ruleset, alert: Alert, verdict: Verdict, place: Told, muted: SuppressedBy | None) -> Said:
        """Return what an alert says to the incident that it opens; equal reasons are one object."""
        if muted is not None:
            why = why_of(ruleset, verdict, muted)
        elif self._why is not None and self._why[0] == verdict.reasons:
            why = self._why[1]
        else:
            why = why_of(ruleset, verdict, None)
            self._why = (verdict.reasons, why)
        return Said(
            number=place.number,
            key=place.key,
            fingerprint=alert.fingerprint,
            title=alert.title,
            summary=alert.summary,
            links=links_of(ruleset, alert, verdict),
            why=why,
        )


def kind_of(alert: Alert, verdict: Verdict) -> Kind:
    """Return all that decides how an alert opens an incident of its own, but for its words."""
    return (
        alert.source,
        alert.truncated,
        verdict.service,
        verdict.severity,
        verdict.cause,
        verdict.rule,
        verdict.policies,
        verdict.start_at,
        verdict.repage,
    )


def kind_of_event(event: AlertFired, ruleset: Ruleset) -> Kind | None:
    """Return the same of an event; None when more than that decides: it is no plain alert that fires anew."""
    if event.member is not None or event.previous is not None or event.again:
        return None
    if event.actor or event.via is not Via.SOURCE:
        return None
    if any(ruleset.policies.get(policy.name) is not policy for policy in event.policies):
        return None
    return (
        event.source,
        event.truncated,
        event.service,
        event.severity,
        event.cause,
        event.rule,
        tuple(policy.name for policy in event.policies),
        event.start_at,
        event.repage,
    )
