"""Validated facts, services and rules to values of the core; nothing here can fail."""

from escalatord.config.references import conditions_of, levels_of
from escalatord.config.schema_rules import (
    AbsentPart,
    AnomalyPart,
    ClearPart,
    ExceptionPart,
    LevelPart,
    PrometheusPart,
    ThresholdPart,
    UnlessPart,
)
from escalatord.config.secrets import Secret
from escalatord.config.sections import Entry
from escalatord.core.alert import Severity
from escalatord.core.evaluate import RULE_LABEL
from escalatord.core.matchers import Matchers, parse_matchers
from escalatord.core.rules import (
    Absent,
    AllOf,
    Anomaly,
    AnomalyKind,
    AnyOf,
    Clear,
    Condition,
    ExceptionRule,
    Level,
    Service,
    ThresholdRule,
    Unless,
    heartbeat_rule,
)
from escalatord.core.ruleset import PrometheusSpec

WATCHDOG = parse_matchers('alertname="Watchdog"')
"""The alert that Prometheus' own rules let fire for ever, so that somebody misses it."""
PROMETHEUS_DEFAULT = PrometheusSpec(url="")


def service(entry: Entry) -> Service:
    """Return the service that an entry describes."""
    part = entry.part
    return Service(
        name=entry.name,
        owner=_text(part.owner),
        policy=_text(part.policy),
        revenue_per_hour=part.revenue_per_hour,
        segments=tuple(part.segments),
        regulated=tuple(part.regulated),
        depends_on=tuple(part.depends_on),
        runbook=_text(part.runbook),
    )


def threshold(part: ThresholdPart) -> ThresholdRule:
    """Return a threshold rule; one that makes its own alerts matches those of its name."""
    levels = tuple(
        Level(severity=Severity(word), condition=_condition(level), for_seconds=level.for_)
        for word, level in levels_of(part.severity)
    )
    return ThresholdRule(
        name=part.name,
        match=part.match or _own_alerts(part.name),
        levels=levels,
        unless=tuple(_unless(one) for one in part.unless),
        policy=_text(part.policy),
        owner=_text(part.owner),
        review_by=part.review_by.isoformat() if part.review_by else "",
        group_by=tuple(part.group_by),
        repage_on_new_alert=part.repage_on_new_alert,
        clear=_clear(part.clear),
        absent=_absent(part.absent),
        anomaly=_anomaly(part.anomaly),
    )


def heartbeat(source: Entry) -> ThresholdRule | None:
    """Return the rule that a source's heartbeat is: fires when no beat came in time, ends with the next one."""
    part = source.part.heartbeat
    if part is None:
        return None
    name = heartbeat_rule(source.name)
    watchdog = WATCHDOG if source.part.adapter == "alertmanager" else _own_alerts(name)
    return ThresholdRule(
        name=name,
        match=_own_alerts(name),
        levels=(Level(severity=Severity(part.severity)),),
        policy=_text(part.policy),
        absent=Absent(
            match=part.match or watchdog, for_seconds=part.every + part.grace, source=source.name, heartbeat=True
        ),
    )


def exception(part: ExceptionPart) -> ExceptionRule:
    """Return an exception rule."""
    return ExceptionRule(
        name=part.name,
        match=part.match,
        severity=Severity(part.severity),
        policy=_text(part.policy),
        start_at=part.start_at,
        also=tuple(part.also),
        why=part.why,
        owner=_text(part.owner),
        group_by=tuple(part.group_by),
    )


def prometheus(part: PrometheusPart, bearer: Secret | str) -> PrometheusSpec:
    """Return where facts are asked."""
    return PrometheusSpec(
        url=part.url.rstrip("/"),
        timeout_seconds=part.timeout or PROMETHEUS_DEFAULT.timeout_seconds,
        cache_seconds=part.cache or PROMETHEUS_DEFAULT.cache_seconds,
        bearer=bearer,
    )


def _condition(part: LevelPart) -> Condition | None:
    conditions = tuple(condition for _, condition in conditions_of(part))
    if part.any_:
        return AnyOf(parts=conditions)
    if part.all_:
        return AllOf(parts=conditions)
    return conditions[0] if conditions else None


def _clear(part: ClearPart | None) -> Clear | None:
    condition = None if part is None else _condition(part)
    return None if part is None or condition is None else Clear(condition=condition, for_seconds=part.for_)


def _unless(part: UnlessPart) -> Unless:
    return Unless(match=part.match, why=part.why, open=_text(part.open_), same=tuple(part.same))


def _absent(part: AbsentPart | None) -> Absent | None:
    if part is None:
        return None
    return Absent(match=part.match, for_seconds=part.for_, source=_text(part.source))


def _anomaly(part: AnomalyPart | None) -> Anomaly | None:
    if part is None:
        return None
    kinds = tuple(kind for kind in AnomalyKind if kind in part.kind)
    return Anomaly(source=part.source, kinds=kinds, factor=float(part.factor), shadow=part.shadow)


def _own_alerts(rule: str) -> Matchers:
    return parse_matchers(f'{RULE_LABEL}="{rule}"')


def _text(value: object) -> str:
    return "" if value is None else str(value)
