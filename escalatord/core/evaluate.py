"""Evaluate the rules: from an alert and the instant to a verdict with every reason.

- Every rule that matches is looked at and says why; only candidates named by the index are asked.
- A threshold rule whose `unless` matches claims nothing, but it does match: the alert is not unmatched.
- A rule claims its highest severity that holds. The highest claim wins, exceptions before thresholds, then file order.
- When an exception matches, the leading one (highest severity, file order) routes: its policy comes first, with its
  first tier, then what the exceptions add by `also`, then the other exceptions' policies. A threshold rule that claims
  more raises the severity and adds its policy: nothing that a rule pages is lost because another rule matches too.
- Every incident of a service under a regime gets that regime's policy besides.
- What a single rule claims, and when it lets go, is in `claims`. An alert is let go of when every rule that claimed it
  has cleared; one rule without `clear` among them keeps it.
- What nothing but thresholds (or no rule) claims may be muted, as the last thing: see `suppress`. With an exception
  that is never asked, so nothing mutes one.
- The heartbeat of a source pages nobody, unless some rule looks at it.
- `next_at` is the earliest instant at which time alone can change what a matching rule says. Nothing changes earlier;
  at it, something may not change either, when other facts moved meanwhile.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar

from escalatord.core.alert import SEVERITY_RANK, Alert, Severity
from escalatord.core.around import ALONE, Around
from escalatord.core.claims import LATCH_MARK, Scene, claim
from escalatord.core.incident import Cause
from escalatord.core.matchers import MatcherIndex
from escalatord.core.rules import OWN_SOURCE, AlertRecord, ExceptionRule, RuleReason, ThresholdRule, Verdict
from escalatord.core.ruleset import Ruleset
from escalatord.core.suppress import suppress

KIND_EXCEPTION = "exception"
KIND_HEARTBEAT = "heartbeat"
UNMATCHED = "unmatched"
RULE_LABEL = "alertname"
"""The label of our own alerts that names the rule that made them."""

Rule = TypeVar("Rule", ThresholdRule, ExceptionRule)


def evaluate(ruleset: Ruleset, record: AlertRecord, now: datetime, around: Around = ALONE) -> Verdict:
    """Return what the rules make of `record` at `now`; `around` is asked for what is not in the alert.

    `record.held` must be what the last verdict on this episode said. Severity None: recorded, pages nobody.
    """
    scene = Scene(ruleset, record, now, around)
    exceptions = _matching(ruleset.exceptions, ruleset.exception_index, scene)
    thresholds = _matching(ruleset.thresholds, ruleset.threshold_index, scene)
    if not exceptions and not thresholds:
        return _beat(scene) or suppress(scene, _unmatched(scene))
    scene.reasons = [_exception_reason(rule) for rule in exceptions]
    scene.latching = any(rule.clear is not None for rule in thresholds)
    claims = [claim(scene, rule) for rule in thresholds]
    winner, claimed = max(zip(thresholds, claims, strict=True), key=lambda pair: _rank(pair[1]), default=(None, None))
    leader = max(exceptions, key=lambda rule: SEVERITY_RANK[rule.severity], default=None)
    if leader is None:
        assert winner is not None  # noqa: S101 - something matched, and no exception did
        return suppress(scene, _verdict(scene, winner, claimed, (_policy(scene, winner),)))
    policies = [_policy(scene, leader), *leader.also]
    for rule in exceptions:
        policies += (_policy(scene, rule), *rule.also)
    severity = leader.severity
    if winner is not None and claimed is not None and _rank(claimed) > _rank(severity):
        severity = claimed
        policies.append(_policy(scene, winner))
    return _verdict(scene, leader, severity, tuple(dict.fromkeys(policies)))


def _verdict(
    scene: Scene, rule: ThresholdRule | ExceptionRule, severity: Severity | None, policies: tuple[str, ...]
) -> Verdict:
    """Return the verdict that `rule` routes."""
    cause = Cause.EXCEPTION if isinstance(rule, ExceptionRule) else Cause.THRESHOLD
    if isinstance(rule, ThresholdRule) and rule.is_heartbeat:
        cause = Cause.HEARTBEAT
    of_regimes = scene.ruleset.policies_of_regimes(scene.service_name) if severity is not None else ()
    let_go = severity is None and scene.cleared and not any(LATCH_MARK in key for key in scene.held)
    return Verdict(
        severity=severity,
        cause=cause,
        rule=rule.name,
        service=scene.service_name,
        policies=tuple(dict.fromkeys((*policies, *of_regimes))) if of_regimes else policies,
        start_at=rule.start_at if isinstance(rule, ExceptionRule) else 1,
        repage=isinstance(rule, ExceptionRule) or rule.repage_on_new_alert,
        group_by=rule.group_by,
        reasons=tuple(scene.reasons),
        held=scene.held,
        next_at=scene.next_at,
        cleared="; ".join(scene.cleared) if let_go else "",
        asks=tuple(dict.fromkeys(scene.asks)),
        quiet_for=tuple(dict.fromkeys(scene.quiet_for)),
    )


def _matching(rules: Sequence[Rule], index: MatcherIndex, scene: Scene) -> list[Rule]:
    """Return the rules that match, in file order."""
    if not rules:
        return []
    alert = scene.record.alert
    labels = alert.labels
    # an index of other rules would lose pages in silence: a rule set put together by hand is searched whole
    numbers = index.candidates(labels, scene.traits) if len(index) == len(rules) else range(len(rules))
    candidates = [rules[number] for number in numbers]
    return [rule for rule in candidates if rule.match.matches(labels, scene.traits) and judges(rule, alert)]


def judges(rule: ThresholdRule | ExceptionRule, alert: Alert) -> bool:
    """Return whether a rule that matches an alert may judge it: what makes its own alerts judges those alone."""
    if isinstance(rule, ExceptionRule) or not rule.makes_alerts:
        return True
    return alert.source == OWN_SOURCE and alert.labels.get(RULE_LABEL) == rule.name


def _beat(scene: Scene) -> Verdict | None:
    """Return the verdict on an alert that says no more than that its source is alive; None for every other one."""
    alert = scene.record.alert
    rule = scene.ruleset.heartbeat_of(alert.source)
    if rule is None or rule.absent is None or not rule.absent.match.matches(alert.labels):
        return None
    say = f"a heartbeat of {alert.source}: its absence pages, it does not"
    reason = RuleReason(rule=rule.name, kind=KIND_HEARTBEAT, severity=None, say=say)
    return Verdict(severity=None, cause=Cause.HEARTBEAT, rule=rule.name, service=scene.service_name, reasons=(reason,))


def _unmatched(scene: Scene) -> Verdict:
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
        policies=tuple(dict.fromkeys((unmatched.policy, *scene.ruleset.policies_of_regimes(scene.service_name)))),
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


def _policy(scene: Scene, rule: ThresholdRule | ExceptionRule) -> str:
    """Return the policy a rule sends to: its own, else the service's, else the one for the unmatched."""
    of_service = scene.service.policy if scene.service is not None else ""
    return rule.policy or of_service or scene.ruleset.unmatched.policy


def _rank(severity: Severity | None) -> int:
    return -1 if severity is None else SEVERITY_RANK[severity]
