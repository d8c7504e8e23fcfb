"""What rules count: their alerts that fire and the beginnings of episodes, by group. A part of the surroundings.

A rule's alerts are counted together when they have the same `group_by` values. An outcome that time alone changes is
each alert's own deadline; here only events count: every alert of a group is looked at when one turns an outcome.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from escalatord.core.around import BEGUN_MAX, Beginning, Tally
from escalatord.core.facts import TALLIED_FACTS, comparisons, count, holds
from escalatord.core.grouping import group_of
from escalatord.core.matchers import MatcherIndex
from escalatord.core.rules import AlertRecord, Comparison, ThresholdRule
from escalatord.core.ruleset import Ruleset
from escalatord.engine.relation import Place, Relation

SCOPES_SWEPT_FROM = 1_000

Scope: TypeAlias = tuple[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class _Counting:
    """A rule that counts alerts, what it asks of the counts, and how far back it looks."""

    rule: ThresholdRule
    comparisons: tuple[Comparison, ...]
    window: timedelta


class Tallies:
    """Counts by rule and group; `log` takes how to undo a change, `look_at` the alerts for whom an outcome turned."""

    def __init__(self, log: list[Callable[[], object]], look_at: Callable[[Iterable[Place]], None]) -> None:
        self._log = log
        self._look_at = look_at

    def take(self, ruleset: Ruleset) -> None:
        """Take other rules, and forget every alert."""
        self._ruleset = ruleset
        counting = (_counting(rule) for rule in ruleset.thresholds)
        self._counting = {each.rule.name: each for each in counting if each is not None}
        self._order = tuple(self._counting.values())
        self._index = MatcherIndex([each.rule.match for each in self._order])
        self._firing: Relation[Scope, None] = Relation(self._log)
        self._begun: dict[Scope, list[Beginning]] = {}
        self._sweep_at = SCOPES_SWEPT_FROM

    @property
    def needed(self) -> bool:
        """Return whether any rule counts."""
        return bool(self._counting)

    @property
    def window_seconds(self) -> float:
        """Return how far back the rules count beginnings."""
        return max((each.window.total_seconds() for each in self._order), default=0.0)

    def of(self, rule: ThresholdRule, record: AlertRecord) -> Tally:
        """Return what `rule` counts for an alert."""
        return self._tally(_scope(rule, record))

    def rebuild(self, records: Iterable[AlertRecord]) -> None:
        """Count alerts that are known of; nothing has been counted before."""
        for record in records:
            for scope in self._scopes(record):
                self._begun.setdefault(scope, []).extend(Beginning(at, record.alert.labels) for at in record.starts)
                if record.firing:
                    self._firing.enter(scope, place_of(record), None)
        for group in self._begun.values():
            _tidy(group)

    def began(self, record: AlertRecord, now: datetime) -> None:
        """An episode begins."""
        for scope in self._scopes(record):
            before = self._outcomes(scope, now)
            self._begin(scope, record, now)
            self._compare(scope, now, before, record)

    def changed(self, record: AlertRecord, now: datetime) -> None:
        """Something about an alert changed; where the sender names its alerts, that may be a label."""
        place = place_of(record)
        wanted = dict.fromkeys(self._scopes(record))
        touched = {*wanted} ^ {*self._firing.keys_of(place)}
        if touched:
            before = {scope: self._outcomes(scope, now) for scope in touched}
            self._firing.put(place, wanted)
            for scope, outcomes in before.items():
                self._compare(scope, now, outcomes, record)

    def ended(self, record: AlertRecord, now: datetime) -> None:
        """An alert no longer fires: it counts no more."""
        place = place_of(record)
        for scope in self._firing.keys_of(place):
            before = self._outcomes(scope, now)
            self._firing.leave(scope, place)
            self._compare(scope, now, before, record)

    def learn(self, record: AlertRecord, now: datetime) -> None:
        """Count an alert as another node left it, beginnings of its episodes that are not counted yet included."""
        wanted = dict.fromkeys(self._scopes(record))
        known = self._firing.keys_of(place_of(record))
        before = {scope: self._outcomes(scope, now) for scope in dict.fromkeys((*wanted, *known))}
        for scope in wanted:
            group = self._begun.setdefault(scope, [])
            fresh = [Beginning(at, record.alert.labels) for at in record.starts]
            group += [beginning for beginning in fresh if beginning not in group]
            _tidy(group)
        self._firing.put(place_of(record), wanted if record.firing else {})
        for scope, outcomes in before.items():
            self._compare(scope, now, outcomes, record)

    def sweep(self) -> None:
        """Forget groups of which nothing fires and nothing began within a window before the newest beginning."""
        if len(self._begun) <= self._sweep_at:
            return
        newest = max((group[-1].at for group in self._begun.values() if group), default=None)
        for scope, group in list(self._begun.items()):
            old = not group or newest is None or group[-1].at < newest - self._counting[scope[0]].window
            if old and not self._firing.of(scope):
                del self._begun[scope]
        self._sweep_at = max(SCOPES_SWEPT_FROM, 2 * len(self._begun))

    # ------------------------------------------------------------------------------------------------- private

    def _scopes(self, record: AlertRecord) -> Iterator[Scope]:
        """Yield the groups in which rules count an alert."""
        if not self._order:
            return
        labels = record.alert.labels
        service = self._ruleset.services.get(labels.get("service", ""))
        traits = service.traits if service is not None else None
        for number in self._index.candidates(labels, traits):
            rule = self._order[number].rule
            if rule.match.matches(labels, traits):
                yield _scope(rule, record)

    def _tally(self, scope: Scope) -> Tally:
        return Tally(firing=len(self._firing.of(scope)), begun=self._begun.get(scope, ()))

    def _outcomes(self, scope: Scope, now: datetime) -> list[bool]:
        tally = self._tally(scope)
        seen = [(each, count(each, tally, now)[0]) for each in self._counting[scope[0]].comparisons]
        return [value is not None and holds(comparison, value.value) for comparison, value in seen]

    def _compare(self, scope: Scope, now: datetime, before: list[bool], record: AlertRecord) -> None:
        """Look at every other alert of a group in which an outcome has turned; `record` is being judged anyway."""
        if self._outcomes(scope, now) != before:
            self._look_at(place for place in self._firing.of(scope) if place != place_of(record))

    def _begin(self, scope: Scope, record: AlertRecord, now: datetime) -> None:
        if place_of(record) not in self._firing.of(scope):
            self._firing.enter(scope, place_of(record), None)
        group = self._begun.setdefault(scope, [])
        group.append(Beginning(now, record.alert.labels))
        dropped = [group.pop(0)] if len(group) > BEGUN_MAX else []

        def undo() -> None:
            group.pop()
            group[:0] = dropped

        self._log.append(undo)


def place_of(record: AlertRecord) -> Place:
    """Return the identity of an alert."""
    return record.alert.source, record.alert.fingerprint


def _tidy(group: list[Beginning]) -> None:
    group.sort(key=lambda beginning: beginning.at)
    del group[:-BEGUN_MAX]


def _scope(rule: ThresholdRule, record: AlertRecord) -> Scope:
    return rule.name, group_of(rule.group_by, record.alert)


def _counting(rule: ThresholdRule) -> _Counting | None:
    """Return what a rule counts, None when it counts nothing."""
    conditions = [level.condition for level in rule.levels]
    conditions += [rule.clear.condition] if rule.clear is not None else []
    found = tuple(
        comparison
        for condition in conditions
        if condition is not None
        for comparison in comparisons(condition)
        if comparison.fact in TALLIED_FACTS
    )
    if not found:
        return None
    return _Counting(rule, found, timedelta(seconds=max(each.window_seconds for each in found)))
