"""What evaluating the rules costs for one alert, in this process, against 10, 1,000 and 10,000 rules.

One rule matches. Ceiling: the same alert against that one rule alone.
"""

import time
from datetime import UTC, datetime
from statistics import median

from escalatord.core.alert import Alert, AlertStatus, Severity
from escalatord.core.evaluate import evaluate
from escalatord.core.grouping import admit
from escalatord.core.matchers import MatcherIndex, parse_matchers
from escalatord.core.rules import Level, ThresholdRule
from escalatord.core.ruleset import Ruleset, Unmatched
from tests.bench.figures import Figure

RULES = (10, 1_000, 10_000)
EVALUATIONS = 2_000
NOW = datetime(2026, 1, 5, 8, tzinfo=UTC)


def measure(rounds: int, _seconds: float) -> list[Figure]:
    """Return microseconds per evaluation; the median of interleaved rounds."""
    rulesets = {count: ruleset(count) for count in (1, *RULES)}
    times: dict[int, list[float]] = {count: [] for count in rulesets}
    for _ in range(max(rounds, 3)):
        for count, rules in rulesets.items():
            times[count].append(_microseconds(rules))
    alone = median(times[1])
    return [
        Figure(name=f"evaluation against {count:,} rules", value=median(times[count]), unit="µs", ceiling=alone)
        for count in RULES
    ]


def ruleset(count: int) -> Ruleset:
    """Return `count` threshold rules as they are in the field: by service and alert name; the last one matches."""
    rules = [
        ThresholdRule(
            name=f"rule-{number}",
            match=parse_matchers(f'job="kubernetes-pods", service="svc-{number}", alertname=~"HighLatency|HighErrors"'),
            levels=(Level(severity=Severity.ERROR),),
            policy="paged",
        )
        for number in range(count)
    ]
    return Ruleset(
        hash="bench",
        unmatched=Unmatched(severity=Severity.WARNING, policy="paged"),
        policies={},
        thresholds=tuple(rules),
        threshold_index=MatcherIndex([rule.match for rule in rules]),
    )


def _microseconds(rules: Ruleset) -> float:
    labels = {
        "alertname": "HighLatency",
        "job": "kubernetes-pods",
        "service": f"svc-{len(rules.thresholds) - 1}",
        "namespace": "ns-1",
        "pod": "svc-1-abc",
    }
    alert = Alert(
        source="bench", fingerprint="1", status=AlertStatus.FIRING, starts_at=NOW, title="High latency", labels=labels
    )
    record = admit(None, alert, NOW).record
    assert record is not None
    assert evaluate(rules, record, NOW).severity is Severity.ERROR
    started = time.perf_counter()
    for _ in range(EVALUATIONS):
        evaluate(rules, record, NOW)
    return (time.perf_counter() - started) / EVALUATIONS * 1e6
