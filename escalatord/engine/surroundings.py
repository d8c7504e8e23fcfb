"""What rules look at beside an alert, kept in memory: other alerts, open causes, silences, answers of Prometheus.

- It holds what is committed, and what the transaction under way has changed: `mark` and `undo` take back what a command
  (or all of them) did, `keep` makes it stay. Only the writer thread touches it.
- Nothing here is the truth: at a start, and with new rules, it is built again from the alerts in the store.
- Whoever depends on something that changes is looked at again at once: `take_due` names them, and the transaction that
  brings the change stores their new deadline. Nothing is polled, and nothing is lost with the process.
- What rules count is in `tallies`, what makes a storm in `storms`.
- What is muted is held here by what mutes it, so that it is looked at again when that is taken away before its time.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import datetime
from itertools import islice

from escalatord.core.alert import Alert, AlertStatus
from escalatord.core.around import Answer, OpenCause, Tally
from escalatord.core.evaluate import evaluate
from escalatord.core.incident import Incident
from escalatord.core.mutes import NO_SILENCES, Inhibit, MuteKind, Silence, Silences
from escalatord.core.rules import AlertRecord, ThresholdRule, Verdict
from escalatord.core.ruleset import Ruleset
from escalatord.core.suppress import going_on
from escalatord.engine.relation import Place, Relation
from escalatord.engine.storms import Storms
from escalatord.engine.tallies import Tallies, place_of

ANSWERS_MAX = 10_000
"""Past it the answer given longest ago is forgotten, and asked again by whoever needs it."""
DUE_AT_ONCE_MAX = 2_000
"""Past it alerts to be looked at wait for the next transaction, which the first ones bring about."""


class Surroundings:
    """Answers what evaluation asks (see `core.around.Around`), and says who has to be looked at again."""

    def __init__(self, ruleset: Ruleset) -> None:
        self._log: list[Callable[[], object]] = []
        self._answers: dict[str, Answer] = {}
        self.storms = Storms(self._log)
        self._tallies = Tallies(self._log, self._look_at)
        self.version = 0
        """Grows when a cause begins or ends: what was judged before may come out otherwise now."""
        self._silences = NO_SILENCES
        self._take(ruleset)

    def _take(self, ruleset: Ruleset) -> None:
        """Take other rules, and forget every alert."""
        self._ruleset = ruleset
        self.storms.take(ruleset)
        self._tallies.take(ruleset)
        inhibits = [mute for mute in ruleset.suppress if isinstance(mute, Inhibit)]
        quiet = {one.open for rule in ruleset.thresholds for one in rule.unless if one.open}
        self.cause_names = frozenset(quiet | {mute.when for mute in inhibits})
        """Rules and policies whose open incidents keep others quiet."""
        asks = any(fact.query is not None for fact in ruleset.facts.values())
        self.needed = bool(self._tallies.needed or self.cause_names or asks or ruleset.suppress or self._silences)
        """Whether any rule looks around at all: where none does, nothing is kept."""
        absent = [rule for rule in ruleset.thresholds if rule.absent is not None]
        self._absent = tuple(absent)
        self.makers = {name: rule for rule in ruleset.thresholds for name in rule.own_fingerprints}
        """Rules that make alerts of their own, by fingerprint."""
        self.counted_sources = frozenset(r.anomaly.source for r in ruleset.thresholds if r.anomaly is not None)
        """Sources whose alerts are counted by the hour."""
        self._causes: Relation[str, OpenCause] = Relation(self._log)
        self._quiet: Relation[str, None] = Relation(self._log)
        self._touched: Relation[str, None] = Relation(self._log)
        self._muted: Relation[str, None] = Relation(self._log)
        self._held: Relation[MuteKind, None] = Relation(self._log)
        self._asking: Relation[str, None] = Relation(self._log)
        self._due: dict[Place, None] = {}
        self._taken: list[Place] = []
        self._asks: dict[str, None] = {}

    @property
    def window_seconds(self) -> float:
        """Return how far back the rules count beginnings."""
        return self._tallies.window_seconds

    def rebuild(
        self, ruleset: Ruleset, records: Iterable[AlertRecord], incidents: Mapping[int, Incident], now: datetime
    ) -> None:
        """Build everything anew from alerts that fire or did lately; `incidents` are the open ones that they are in.

        Who was quiet until now, and who would be paged now and is not, is looked at again.
        """
        quiet = [*self._quiet.places(), *self._muted.places()]
        self._take(ruleset)
        known = list(records)
        self._tallies.rebuild(known)
        for record in known:
            incident = incidents.get(record.incident)
            if record.firing and record.severity is not None and incident is not None:
                self.paged(record, incident)
        applies = any(mute.apply_to_open for mute in ruleset.suppress)
        for record in known:
            if record.firing:
                verdict = evaluate(ruleset, record, now, self)
                paged = record.severity is not None and record.incident in incidents
                self.judged(record, going_on(verdict) if paged else verdict)
                now_pages = verdict.pages is not None and record.severity is None
                if now_pages or (paged and applies and _muted_soon(record, verdict)):
                    quiet.append(place_of(record))
        self.keep()
        self._due = dict.fromkeys(quiet)

    def learn(self, records: Iterable[AlertRecord], incidents: Mapping[int, Incident], now: datetime) -> None:
        """Take in alerts as other nodes left them; `incidents` are the open ones that they are in.

        Called where a transaction begins. It is committed already, so nothing takes it back; who would be paged now and
        is not, and who depends on what has changed, is looked at again.
        """
        known = list(records)
        for record in known:
            self._tallies.learn(record, now)
            place, incident = place_of(record), incidents.get(record.incident)
            if not record.firing or record.severity is None or incident is None:
                self.settled(place)
            else:
                self.paged(record, incident)
        for record in known:
            if not record.firing:
                self._wait_for_nothing(place_of(record))
                continue
            verdict = evaluate(self._ruleset, record, now, self)
            paged = record.severity is not None and record.incident in incidents
            self.judged(record, going_on(verdict) if paged else verdict)
            if verdict.pages is not None and record.severity is None:
                self._look_at((place_of(record),))
        self._asks.clear()  # whoever judged it asks
        self._log.clear()

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
        self.storms.sweep()
        self._tallies.sweep()

    def take_due(self) -> list[Place]:
        """Return alerts that are worth another look; those of them that are committed are not named again."""
        self._taken = list(islice(self._due, DUE_AT_ONCE_MAX))
        return self._taken

    @property
    def has_due(self) -> bool:
        """Return whether any alert is worth another look."""
        return bool(self._due)

    @property
    def asks(self) -> tuple[str, ...]:
        """Return the queries to which this transaction wants an answer."""
        return tuple(self._asks)

    # -------------------------------------------------------------------------------------------- what is asked

    def tally(self, rule: ThresholdRule, record: AlertRecord) -> Tally:
        """Return what `rule` counts for an alert."""
        return self._tallies.of(rule, record)

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

    def silences(self) -> Silences:
        """Return the silences in force, and those to come."""
        return self._silences

    def held_back(self) -> dict[MuteKind, int]:
        """Return how many alerts that fire are muted, by the way that lasts longest."""
        return {kind: len(self._held.of(kind)) for kind in MuteKind}

    def held_by(self, keys: Iterable[str]) -> dict[str, int]:
        """Return how many alerts that fire each of these mutes holds back, alone or with others."""
        return {key: len(self._muted.of(key)) for key in keys}

    # --------------------------------------------------------------------------------------------- what happens

    def began(self, record: AlertRecord, now: datetime) -> None:
        """An episode begins."""
        self._tallies.began(record, now)

    def changed(self, record: AlertRecord, now: datetime) -> None:
        """Something about an alert changed; where the sender names its alerts, that may be a label."""
        self._tallies.changed(record, now)

    def ended(self, record: AlertRecord, now: datetime) -> None:
        """An alert no longer fires: it counts no more, and waits for nothing."""
        self._tallies.ended(record, now)
        self._wait_for_nothing(place_of(record))

    def judged(self, record: AlertRecord, verdict: Verdict) -> None:
        """The rules have looked at an alert: remember what it waits for."""
        place = place_of(record)
        self._quiet.put(place, dict.fromkeys(verdict.quiet_for))
        self._asking.put(place, dict.fromkeys(verdict.asks))
        self._touched.put(place, dict.fromkeys(verdict.touched_by))
        by = verdict.suppressed
        self._muted.put(place, dict.fromkeys(by.keys if by is not None else ()))
        self._held.put(place, {by.kind: None} if by is not None else {})
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
                    self._look_at(self._touched.of(name))

    def settled(self, place: Place) -> None:
        """An alert left its incident: whoever was quiet because of it is looked at again."""
        for name in self._causes.keys_of(place):
            self._causes.leave(name, place)
            self._turn()
            self._look_at(self._quiet.of(name))

    def closed(self, numbers: Collection[int]) -> list[Place]:
        """Incidents are over: their alerts keep nobody quiet, though they may still fire. Return those alerts."""
        over = [
            place for _, group in self._causes.items() for place, cause in group.items() if cause.incident in numbers
        ]
        places = list(dict.fromkeys(over))
        for place in places:
            self.settled(place)
        return places

    def silence(self, silences: Iterable[Silence]) -> None:
        """Let these silences be those there are."""
        before, needed = self._silences, self.needed
        self._silences = Silences(tuple(silences))
        self.needed = self.needed or bool(self._silences)

        def undo() -> None:
            self._silences, self.needed = before, needed

        self._log.append(undo)

    def unmuted(self, key: str) -> None:
        """A mute is taken away before its time: what it held back is looked at again."""
        self._look_at(self._muted.of(key))

    def answered(self, query: str, value: float | None, now: datetime) -> None:
        """Prometheus has answered (None: not with a number): whoever waits for it is looked at again."""
        self._answers.pop(query, None)  # what is answered belongs to no transaction: it stays in any case
        self._answers[query] = Answer(value, now)
        if len(self._answers) > ANSWERS_MAX:
            del self._answers[next(iter(self._answers))]
        self._look_at(self._asking.of(query))

    # ------------------------------------------------------------------------------------------------- private

    def _wait_for_nothing(self, place: Place) -> None:
        for relation in (self._quiet, self._touched, self._asking, self._muted):
            relation.put(place, {})
        self._held.put(place, {})

    def _turn(self) -> None:
        self.version += 1

    def _look_at(self, places: Iterable[Place]) -> None:
        fresh = [place for place in places if place not in self._due]
        self._due.update(dict.fromkeys(fresh))
        self._log.append(lambda: [self._due.pop(place, None) for place in fresh])


def _muted_soon(record: AlertRecord, verdict: Verdict) -> bool:
    """Return whether an alert that paged is to be muted now, or at an instant before it would be looked at anyway."""
    applies = verdict.suppressed is not None and verdict.suppressed.apply_to_open
    sooner = verdict.next_at is not None and (record.due_at is None or verdict.next_at < record.due_at)
    return applies or sooner
