"""How many new incidents began lately in each group: what makes a storm. A part of the surroundings."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypeAlias

from escalatord.core.alert import Alert
from escalatord.core.bundle import group_for
from escalatord.core.grouping import group_of
from escalatord.core.incident import Incident
from escalatord.core.noise import Group
from escalatord.core.rules import AlertRecord
from escalatord.core.ruleset import Ruleset
from escalatord.engine.relation import Place

Scope: TypeAlias = tuple[str, tuple[str, ...]]
SCOPES_SWEPT_FROM = 1_000


class Storms:
    """The instants at which incidents began, by group and its labels' values; `log` takes how to undo a change."""

    def __init__(self, log: list[Callable[[], object]]) -> None:
        self._log = log
        self._begun: dict[Scope, tuple[datetime, ...]] = {}
        self._counted: dict[Place, datetime] = {}
        self._groups: dict[str, Group] = {}
        self._ruleset: Ruleset | None = None
        self._sweep_at = self._counted_sweep_at = SCOPES_SWEPT_FROM

    def take(self, ruleset: Ruleset) -> None:
        """Take other rules, and forget what began."""
        self._ruleset = ruleset
        self._groups = {group.name: group for group in ruleset.groups}
        self._begun, self._counted = {}, {}

    @property
    def window_seconds(self) -> float:
        """Return how far back the groups count."""
        return max((group.window_seconds for group in self._groups.values()), default=0.0)

    def group_of(self, alert: Alert) -> Group | None:
        """Return the group that an alert is in, None when it is in none."""
        if self._ruleset is None or not self._groups:
            return None
        service = self._ruleset.services.get(alert.labels.get("service", ""))
        return group_for(self._ruleset.groups, alert, *((service.traits,) if service is not None else ()))

    def begun(self, group: Group, alert: Alert) -> Sequence[datetime]:
        """Return when incidents that count with an alert's began lately, oldest first; at most one more than matter."""
        return self._begun.get(_scope(group, alert), ())

    def begin(self, group: Group, alert: Alert, now: datetime) -> None:
        """Note that an incident began, or would have without its bundle."""
        scope, place = _scope(group, alert), (alert.source, alert.fingerprint)
        before, counted = self._begun.get(scope), self._counted.get(place)
        self._begun[scope] = (*(before or ()), now)[-group.over :]
        self._counted[place] = now
        self._log.append(lambda: self._begun.pop(scope) if before is None else self._begun.update({scope: before}))
        self._log.append(
            lambda: self._counted.pop(place) if counted is None else self._counted.update({place: counted})
        )

    def rebuild(self, records: Iterable[AlertRecord], incidents: Mapping[int, Incident], since: datetime) -> None:
        """Count what began after `since` from stored alerts and their incidents; a bundle counts by its alerts."""
        found: dict[Scope, list[datetime]] = {}
        self._counted = {}
        for scope, place, at in self._beginnings(records, incidents):
            if at > since:
                found.setdefault(scope, []).append(at)
                self._counted[place] = at
        self._begun = {scope: tuple(sorted(begun)[-self._groups[scope[0]].over :]) for scope, begun in found.items()}

    def learn(self, records: Iterable[AlertRecord], incidents: Mapping[int, Incident], now: datetime) -> None:
        """Count what other nodes began, each beginning once; it is committed already, so nothing takes it back."""
        since = now - timedelta(seconds=self.window_seconds)
        for scope, place, at in self._beginnings(records, incidents):
            if at > since and self._counted.get(place) != at:
                self._begun[scope] = tuple(sorted((*self._begun.get(scope, ()), at))[-self._groups[scope[0]].over :])
                self._counted[place] = at

    def _beginnings(
        self, records: Iterable[AlertRecord], incidents: Mapping[int, Incident]
    ) -> Iterator[tuple[Scope, Place, datetime]]:
        """Yield what counts: each incident once, by the alert that opened it; a bundle by each of its alerts."""
        seen: set[int] = set()
        for record in records:
            incident = incidents.get(record.incident)
            group = self.group_of(record.alert) if incident is not None else None
            if incident is None or group is None or (incident.bundle is None and incident.number in seen):
                continue
            seen.add(incident.number)
            at = record.opened_at if incident.bundle is not None else incident.opened_at
            yield _scope(group, record.alert), (record.alert.source, record.alert.fingerprint), at

    def sweep(self) -> None:
        """Forget groups in which nothing began within a window before the newest beginning."""
        if len(self._counted) > self._counted_sweep_at:
            newest = max(self._counted.values())
            kept = {p: at for p, at in self._counted.items() if (newest - at).total_seconds() <= self.window_seconds}
            self._counted, self._counted_sweep_at = kept, max(SCOPES_SWEPT_FROM, 2 * len(kept))
        if len(self._begun) <= self._sweep_at:
            return
        newest = max(begun[-1] for begun in self._begun.values())
        for scope, begun in list(self._begun.items()):
            if (newest - begun[-1]).total_seconds() > self._groups[scope[0]].window_seconds:
                del self._begun[scope]
        self._sweep_at = max(SCOPES_SWEPT_FROM, 2 * len(self._begun))


def _scope(group: Group, alert: Alert) -> Scope:
    return group.name, group_of(group.by, alert)
