"""Evaluate the rules: from an alert and the instant to a verdict with every reason.

- Every rule that matches is looked at and says why; only candidates named by the index are asked.
- A threshold rule whose `unless` matches claims nothing, but it does match: the alert is not unmatched.
- A rule claims its highest severity that holds. The highest claim wins, exceptions before thresholds, then file order.
- When an exception matches, the leading one (highest severity, file order) routes: its policy comes first, with its
  first tier, then what the exceptions add by `also`, then the other exceptions' policies. A threshold rule that claims
  more raises the severity and adds its policy: nothing that a rule pages is lost because another rule matches too.
- A missing fact counts as true, false or 0, as its fact says; the reason says that it was missing.
- A level with `for` claims once its condition has been true for so long without a break; `held` remembers since when.
- `next_at` is the earliest instant at which time alone can change what a matching rule says. Nothing changes earlier;
  at it, something may not change either, when other facts moved meanwhile.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar, assert_never

from escalatord.core.alert import SEVERITY_RANK, Severity
from escalatord.core.facts import holds, missing_of, observe
from escalatord.core.incident import Cause
from escalatord.core.matchers import MatcherIndex
from escalatord.core.rules import (
    AlertRecord,
    AnyOf,
    Comparison,
    Condition,
    ExceptionRule,
    Level,
    Missing,
    RuleReason,
    Service,
    ThresholdRule,
    Unless,
    Verdict,
)
from escalatord.core.ruleset import Ruleset
from escalatord.core.units import format_duration

SERVICE_LABEL = "service"
KIND_EXCEPTION = "exception"
KIND_THRESHOLD = "threshold"
UNMATCHED = "unmatched"
SHOWN_CHARS_MAX = 80

Rule = TypeVar("Rule", ThresholdRule, ExceptionRule)
Predicate = tuple[str, str, bool]


def evaluate(ruleset: Ruleset, record: AlertRecord, now: datetime) -> Verdict:
    """Return what the rules make of `record` at `now`.

    `record.held` must be what the last verdict on this episode said. Severity None: recorded, pages nobody.
    """
    scene = _Scene(ruleset, record, now)
    exceptions = list(_matching(ruleset.exceptions, ruleset.exception_index, record))
    thresholds = list(_matching(ruleset.thresholds, ruleset.threshold_index, record))
    if not exceptions and not thresholds:
        return _unmatched(scene)
    scene.reasons = [_exception_reason(rule) for rule in exceptions]
    claims = [_claim(scene, rule) for rule in thresholds]
    winner, claimed = max(zip(thresholds, claims, strict=True), key=lambda pair: _rank(pair[1]), default=(None, None))
    leader = max(exceptions, key=lambda rule: SEVERITY_RANK[rule.severity], default=None)
    if leader is None:
        assert winner is not None  # noqa: S101 - something matched, and no exception did
        return scene.verdict(winner, claimed, (_policy(scene, winner),))
    policies = [_policy(scene, leader), *leader.also]
    for rule in exceptions:
        policies += (_policy(scene, rule), *rule.also)
    severity = leader.severity
    if winner is not None and claimed is not None and _rank(claimed) > _rank(severity):
        severity = claimed
        policies.append(_policy(scene, winner))
    return scene.verdict(leader, severity, tuple(dict.fromkeys(policies)))


@dataclass(slots=True)
class _Scene:
    """One evaluation under way: what is looked at, and what was found so far."""

    ruleset: Ruleset
    record: AlertRecord
    now: datetime
    service_name: str = field(init=False)
    service: Service | None = field(init=False)
    reasons: list[RuleReason] = field(default_factory=list)
    held: dict[str, datetime] = field(default_factory=dict)
    next_at: datetime | None = None

    def __post_init__(self) -> None:
        self.service_name = self.record.alert.labels.get(SERVICE_LABEL, "")
        self.service = self.ruleset.services.get(self.service_name)

    def look_again(self, at: datetime | None) -> None:
        """Note an instant at which something can change."""
        if at is not None and (self.next_at is None or at < self.next_at):
            self.next_at = at

    def verdict(
        self, rule: ThresholdRule | ExceptionRule, severity: Severity | None, policies: tuple[str, ...]
    ) -> Verdict:
        """Return the verdict that `rule` routes."""
        exception = isinstance(rule, ExceptionRule)
        return Verdict(
            severity=severity,
            cause=Cause.EXCEPTION if exception else Cause.THRESHOLD,
            rule=rule.name,
            service=self.service_name,
            policies=policies,
            start_at=rule.start_at if isinstance(rule, ExceptionRule) else 1,
            repage=isinstance(rule, ExceptionRule) or rule.repage_on_new_alert,
            group_by=rule.group_by,
            reasons=tuple(self.reasons),
            held=self.held,
            next_at=self.next_at,
        )


def _matching(rules: Sequence[Rule], index: MatcherIndex, record: AlertRecord) -> Iterator[Rule]:
    """Give the rules that match, in file order."""
    labels = record.alert.labels
    # an index of other rules would lose pages in silence: a rule set put together by hand is searched whole
    numbers = index.candidates(labels) if len(index) == len(rules) else range(len(rules))
    for number in numbers:
        rule = rules[number]
        if rule.match.matches(labels):
            yield rule


def _unmatched(scene: _Scene) -> Verdict:
    """Return the verdict on what no rule knows: the sender's severity counts when it is the higher one.

    A sender that says none, or a word nobody knows, counts with its source's default.
    """
    unmatched, alert = scene.ruleset.unmatched, scene.record.alert
    said = alert.severity
    if said is None and alert.source in scene.ruleset.sources:
        said = scene.ruleset.sources[alert.source].default_severity
    severity = unmatched.severity if said is None or _rank(said) < _rank(unmatched.severity) else said
    whose = UNMATCHED if severity is unmatched.severity else "its sender"
    say = f"no rule matches; {whose} says {severity}"
    return Verdict(
        severity=severity,
        cause=Cause.UNMATCHED,
        rule=UNMATCHED,
        service=scene.service_name,
        policies=(unmatched.policy,),
        reasons=(RuleReason(rule=UNMATCHED, kind=UNMATCHED, severity=severity, say=say),),
    )


def _exception_reason(rule: ExceptionRule) -> RuleReason:
    why = f": {rule.why}" if rule.why else ""
    return RuleReason(
        rule=rule.name,
        kind=KIND_EXCEPTION,
        severity=rule.severity,
        say=f"{rule.severity} regardless of thresholds{why}",
    )


def _claim(scene: _Scene, rule: ThresholdRule) -> Severity | None:
    """Return the severity a matching rule claims; leave its reason, what it holds and when to look again."""
    predicates: list[Predicate] = []
    for unless in rule.unless:
        quiet = unless.match.matches(scene.record.alert.labels)
        predicates.append((f"unless {unless.match.text}", _observed_labels(scene, unless), quiet))
        if quiet:
            scene.reasons.append(_threshold_reason(rule, None, f"quiet: {unless.why}", predicates))
            return None
    claimed: Severity | None = None
    say = "no severity reached"
    # worst first: what a lower level comes to decides nothing
    for level in sorted(rule.levels, key=lambda level: -SEVERITY_RANK[level.severity]):
        first = len(predicates)
        claims, changes_at = _level(scene, rule, level, predicates, outdone=claimed is not None)
        scene.look_again(changes_at)
        if claims and claimed is None:
            claimed = level.severity
            true = [f"{text} ({observed})" for text, observed, outcome in predicates[first:] if outcome]
            say = f"{claimed}: {', '.join(true) or 'whatever is measured'}"
    scene.reasons.append(_threshold_reason(rule, claimed, say, predicates))
    return claimed


def _level(
    scene: _Scene, rule: ThresholdRule, level: Level, predicates: list[Predicate], *, outdone: bool
) -> tuple[bool, datetime | None]:
    """Return whether a level claims, and when to look again because of it; `outdone` by a worse one of its rule.

    An outdone level is looked at for its hold only, which has to begin and to end on time.
    """
    true, changes_at = _condition(scene, level.condition, predicates)
    if not level.for_seconds:
        return true, None if outdone else changes_at
    if not true:
        return False, changes_at
    key = f"{rule.name}/{level.severity}"
    # a clock set back must not make a hold longer
    since = min(scene.record.held.get(key, scene.now), scene.now)
    scene.held[key] = since
    held_seconds = (scene.now - since).total_seconds()
    claims = held_seconds >= level.for_seconds
    predicates.append(
        (f"{level.severity} for {format_duration(level.for_seconds)}", format_duration(held_seconds), claims)
    )
    if claims or outdone:
        return claims, changes_at
    return False, min(filter(None, (_later(since, level.for_seconds), changes_at)), default=None)


def _condition(scene: _Scene, condition: Condition | None, predicates: list[Predicate]) -> tuple[bool, datetime | None]:
    """Return whether a condition is true, and the earliest instant at which time alone can change that."""
    if condition is None:
        return True, None
    if isinstance(condition, Comparison):
        return _comparison(scene, condition, predicates)
    parts = [_condition(scene, part, predicates) for part in condition.parts]
    instants = [changes_at for _, changes_at in parts if changes_at is not None]
    sufficient = isinstance(condition, AnyOf)  # the outcome that a single part brings about
    deciding = [changes_at for true, changes_at in parts if true is sufficient]
    if not deciding:
        return not sufficient, min(instants, default=None)
    # it stays until the last of the deciding parts has changed
    return sufficient, None if None in deciding else max(filter(None, deciding))


def _comparison(scene: _Scene, comparison: Comparison, predicates: list[Predicate]) -> tuple[bool, datetime | None]:
    sources = scene.ruleset.facts
    quantity, changes_at = observe(comparison, scene.record, scene.service, sources, scene.now)
    if quantity is not None:
        true = holds(comparison, quantity.value)
        observed = str(quantity)
    else:
        missing = missing_of(comparison, sources)
        observed = f"missing: {missing}"
        match missing:
            case Missing.PAGE:
                true = True
            case Missing.SKIP:
                true = False
            case Missing.ASSUME_ZERO:
                true = holds(comparison, 0.0)
            case _:
                assert_never(missing)
    predicates.append((comparison.text, observed, true))
    return true, changes_at


def _threshold_reason(
    rule: ThresholdRule, severity: Severity | None, say: str, predicates: list[Predicate]
) -> RuleReason:
    return RuleReason(rule=rule.name, kind=KIND_THRESHOLD, severity=severity, say=say, predicates=tuple(predicates))


def _observed_labels(scene: _Scene, unless: Unless) -> str:
    labels = scene.record.alert.labels
    shown = ", ".join(f"{matcher.name}={labels.get(matcher.name, '')}" for matcher in unless.match.matchers)
    return shown if len(shown) <= SHOWN_CHARS_MAX else shown[: SHOWN_CHARS_MAX - 1] + "…"


def _policy(scene: _Scene, rule: ThresholdRule | ExceptionRule) -> str:
    """Return the policy a rule sends to: its own, else the service's, else the one for the unmatched."""
    of_service = scene.service.policy if scene.service is not None else ""
    return rule.policy or of_service or scene.ruleset.unmatched.policy


def _rank(severity: Severity | None) -> int:
    return -1 if severity is None else SEVERITY_RANK[severity]


def _later(at: datetime, seconds: float) -> datetime | None:
    """Return `at` and `seconds`, None when that is beyond the calendar."""
    try:
        return at + timedelta(seconds=seconds)
    except OverflowError:
        return None
