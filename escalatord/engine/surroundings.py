"""What rules look at beside an alert, kept in memory: other alerts, open causes, answers of Prometheus.

- It holds what is committed, and what the transaction under way has changed: `mark` and `undo` take back what a command
  (or all of them) did, `keep` makes it stay. Only the writer thread touches it.
- Nothing here is the truth: at a start, and with new rules, it is built again from the alerts in the store.
- Whoever depends on something that changes is looked at again at once: `take_due` names them, and the transaction that
  brings the change stores their new deadline. Nothing is polled, and nothing is lost with the process.
- A rule's alerts are counted together when they have the same `group_by` values. An outcome that time alone changes is
  each alert's own deadline; here only events count: every alert of the group is looked at when one turns an outcome.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import TypeAlias

from escalatord.core.alert import Alert, AlertStatus
from escalatord.core.around import BEGUN_MAX, Answer, Beginning, OpenCause, Tally
from escalatord.core.evaluate import evaluate
from escalatord.core.facts import TALLIED_FACTS, comparisons, count, holds
from escalatord.core.grouping import group_of
from escalatord.core.incident import Incident
from escalatord.core.matchers import MatcherIndex
from escalatord.core.rules import AlertRecord, Comparison, ThresholdRule, Verdict
from escalatord.core.ruleset import Ruleset
from escalatord.engine.relation import Place, Relation

ANSWERS_MAX = 10_000
"""Past it the answer given longest ago is forgotten, and asked again by whoever needs it."""
DUE_AT_ONCE_MAX = 2_000
"""Past it alerts to be looked at wait for the next transaction, which the first ones bring about."""
SCOPES_SWEPT_FROM = 1_000

Scope: TypeAlias = tuple[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class _Counting:
    """A rule that counts alerts, what it asks of the counts, and how far back it looks."""

    rule: ThresholdRule
    comparisons: tuple[Comparison, ...]
    window: timedelta


class Surroundings:
    """Answers what evaluation asks (see `core.around.Around`), and says who has to be looked at again."""

    def __init__(self, ruleset: Ruleset) -> None:
        self._log: list[Callable[[], object]] = []
        self._answers: dict[str, Answer] = {}
        self.version = 0
        """Grows when a cause begins or ends: what was judged before may come out otherwise now."""
        self._take(ruleset)

    def _take(self, ruleset: Ruleset) -> None:
        """Take other rules, and forget every alert."""
        self._ruleset = ruleset
        counting = (_counting(rule) for rule in ruleset.thresholds)
        self._counting = {each.rule.name: each for each in counting if each is not None}
        self._order = tuple(self._counting.values())
        self._index = MatcherIndex([each.rule.match for each in self._order])
        self.cause_names = frozenset(one.open for rule in ruleset.thresholds for one in rule.unless if one.open)
        """Rules and policies whose open incidents keep others quiet."""
        asks = any(fact.query is not None for fact in ruleset.facts.values())
        self.needed = bool(self._counting or self.cause_names or asks)
        """Whether any rule looks around at all: where none does, nothing is kept."""
        absent = [rule for rule in ruleset.thresholds if rule.absent is not None]
        self._absent = tuple(absent)
        self.makers = {name: rule for rule in ruleset.thresholds for name in rule.own_fingerprints}
        """Rules that make alerts of their own, by fingerprint."""
        self.counted_sources = frozenset(r.anomaly.source for r in ruleset.thresholds if r.anomaly is not None)
        """Sources whose alerts are counted by the hour."""
        self._firing: Relation[Scope, None] = Relation(self._log)
        self._begun: dict[Scope, list[Beginning]] = {}
        self._causes: Relation[str, OpenCause] = Relation(self._log)
        self._quiet: Relation[str, None] = Relation(self._log)
        self._asking: Relation[str, None] = Relation(self._log)
        self._due: dict[Place, None] = {}
        self._taken: list[Place] = []
        self._asks: dict[str, None] = {}
        self._sweep_at = SCOPES_SWEPT_FROM

    @property
    def window_seconds(self) -> float:
        """Return how far back the rules count beginnings."""
        return max((each.window.total_seconds() for each in self._order), default=0.0)

    def rebuild(
        self, ruleset: Ruleset, records: Iterable[AlertRecord], incidents: Mapping[int, Incident], now: datetime
    ) -> None:
        """Build everything anew from alerts that fire or did lately; `incidents` are the open ones that they are in.

        Who was quiet until now, and who would be paged now and is not, is looked at again.
        """
        quiet = list(self._quiet.places())
        self._take(ruleset)
        known = list(records)
        for record in known:
            for scope in self._scopes(record):
                self._begun.setdefault(scope, []).extend(Beginning(at, record.alert.labels) for at in record.starts)
                if record.firing:
                    self._firing.enter(scope, place_of(record), None)
            incident = incidents.get(record.incident)
            if record.firing and record.severity is not None and incident is not None:
                self.paged(record, incident)
        for group in self._begun.values():
            group.sort(key=lambda beginning: beginning.at)
            del group[:-BEGUN_MAX]
        for record in known:
            if record.firing:
                verdict = evaluate(ruleset, record, now, self)
                self.judged(record, verdict)
                if verdict.severity is not None and record.severity is None:
                    quiet.append(place_of(record))
        self.keep()
        self._due = dict.fromkeys(quiet)

    # ------------------------------------------------------------------------------------------- one transaction

    def mark(self) -> int:
        """Return the present place, for `undo`."""
        return len(self._log)

    def undo(self, mark: int = 0) -> None:
        """Take back everything since `mark`."""
        while len(self._log) > mark:
            self._log.pop()()
        if not mark:
            self._taken.clear()

    def keep(self) -> None:
        """Let everything stay: it is committed."""
        self._log.clear()
        self._asks.clear()
        for place in self._taken:
            self._due.pop(place, None)
        self._taken.clear()
        if len(self._begun) > self._sweep_at:
            self._sweep()

    def take_due(self) -> list[Place]:
        """Return alerts that are worth another look; those of them that are committed are not named again."""
        self._taken = list(islice(self._due, DUE_AT_ONCE_MAX))
        return self._taken

    @property
    def asks(self) -> tuple[str, ...]:
        """Return the queries to which this transaction wants an answer."""
        return tuple(self._asks)

    # -------------------------------------------------------------------------------------------- what is asked

    def tally(self, rule: ThresholdRule, record: AlertRecord) -> Tally:
        """Return what `rule` counts for an alert."""
        return self._tally(_scope(rule, record))

    def causes(self, name: str) -> Iterable[OpenCause]:
        """Return the alerts of the open incidents of a rule or policy."""
        return self._causes.of(name).values()

    def heard(self, alert: Alert) -> Iterator[str]:
        """Yield the rules that wait for a sign of life, and for which this message is one.

        A watchdog that is resolved is no heartbeat: its sender says that it hears it no more.
        """
        for rule in self._absent:
            absent = rule.absent
            if absent is None or (absent.heartbeat and alert.status is AlertStatus.RESOLVED):
                continue
            if absent.source in ("", alert.source) and absent.match.matches(alert.labels):
                yield rule.name

    def listens_to(self, alert: Alert) -> bool:
        """Return whether every message of an alert counts, also one that says nothing new."""
        if not self.makers:
            return False
        return alert.source in self.counted_sources or any(True for _rule in self.heard(alert))

    def answer(self, query: str) -> Answer | None:
        """Return the last answer to a query."""
        return self._answers.get(query)

    # --------------------------------------------------------------------------------------------- what happens

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
        """An alert no longer fires: it counts no more, and waits for nothing."""
        place = place_of(record)
        for scope in self._firing.keys_of(place):
            before = self._outcomes(scope, now)
            self._firing.leave(scope, place)
            self._compare(scope, now, before, record)
        self._quiet.put(place, {})
        self._asking.put(place, {})

    def judged(self, record: AlertRecord, verdict: Verdict) -> None:
        """The rules have looked at an alert: remember what it waits for."""
        place = place_of(record)
        self._quiet.put(place, dict.fromkeys(verdict.quiet_for))
        self._asking.put(place, dict.fromkeys(verdict.asks))
        self._asks.update(dict.fromkeys(verdict.asks))

    def paged(self, record: AlertRecord, incident: Incident) -> None:
        """An alert is in an open incident: it may keep others quiet."""
        if self.cause_names:
            place = place_of(record)
            cause = OpenCause(incident=incident.number, rule=incident.rule, labels=record.alert.labels)
            for name in {incident.rule, incident.policy} & self.cause_names:
                if place not in self._causes.of(name):
                    self._causes.enter(name, place, cause)
                    self._turn()

    def settled(self, place: Place) -> None:
        """An alert left its incident: whoever was quiet because of it is looked at again."""
        for name in self._causes.keys_of(place):
            self._causes.leave(name, place)
            self._turn()
            self._look_at(self._quiet.of(name))

    def closed(self, numbers: Collection[int]) -> None:
        """Incidents are over: their alerts keep nobody quiet, though they may still fire."""
        over = [
            place for _, group in self._causes.items() for place, cause in group.items() if cause.incident in numbers
        ]
        for place in dict.fromkeys(over):
            self.settled(place)

    def answered(self, query: str, value: float | None, now: datetime) -> None:
        """Prometheus has answered (None: not with a number): whoever waits for it is looked at again."""
        self._answers.pop(query, None)  # what is answered belongs to no transaction: it stays in any case
        self._answers[query] = Answer(value, now)
        if len(self._answers) > ANSWERS_MAX:
            del self._answers[next(iter(self._answers))]
        self._look_at(self._asking.of(query))

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

    def _turn(self) -> None:
        self.version += 1

    def _look_at(self, places: Iterable[Place]) -> None:
        fresh = [place for place in places if place not in self._due]
        self._due.update(dict.fromkeys(fresh))
        self._log.append(lambda: [self._due.pop(place, None) for place in fresh])

    def _sweep(self) -> None:
        """Forget groups of which nothing fires and nothing began within a window before the newest beginning."""
        newest = max((group[-1].at for group in self._begun.values() if group), default=None)
        for scope, group in list(self._begun.items()):
            old = not group or newest is None or group[-1].at < newest - self._counting[scope[0]].window
            if old and not self._firing.of(scope):
                del self._begun[scope]
        self._sweep_at = max(SCOPES_SWEPT_FROM, 2 * len(self._begun))


def place_of(record: AlertRecord) -> Place:
    """Return the identity of an alert."""
    return record.alert.source, record.alert.fingerprint


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
