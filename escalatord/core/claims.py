"""What one threshold rule claims of an alert: its levels, what keeps it quiet, what it holds on to.

- A level with `for` claims once its condition has been true for so long without a break; `held` remembers since when.
- A missing fact counts as true, false or 0, as its fact says; the reason says that it was missing. For `clear` a fact
  that is missing counts as false, or 0: what is not known lets nothing go.
- A query's answer counts for as long as the rules say. Afterwards it is asked again, and the old answer counts until
  the new one is there, or until nobody answered in time: then the fact is missing. Before the first answer a comparison
  is neither true nor false: it claims nothing, clears nothing, and breaks no hold.
- A rule with `clear` keeps the highest severity it has claimed until none of its levels holds *and* `clear` has held
  for its time. A level that holds is stronger than `clear`: between the lines nothing flaps and nobody is forgotten.
- Kept quiet by labels, a rule is not looked at further; kept quiet by an open incident it goes on measuring, so that a
  hold that has passed meanwhile counts when the incident ends.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import assert_never

from escalatord.core.alert import SEVERITIES, SEVERITY_RANK, Severity
from escalatord.core.around import ALONE, Around, OpenCause
from escalatord.core.facts import TALLIED_FACTS, count, holds, missing_of, observe
from escalatord.core.rules import (
    NO_TRAITS,
    AlertRecord,
    AnyOf,
    Clear,
    Comparison,
    Condition,
    FactSource,
    Level,
    Missing,
    RuleReason,
    Service,
    ThresholdRule,
    Unless,
)
from escalatord.core.ruleset import PrometheusSpec, Ruleset
from escalatord.core.units import UNIT_COUNT, Quantity, format_duration

SERVICE_LABEL = "service"
KIND_THRESHOLD = "threshold"
LATCH_MARK = "!"
SHOWN_CHARS_MAX = 80
NO_PROMETHEUS = PrometheusSpec(url="")

Predicate = tuple[str, str, bool]


@dataclass(slots=True)
class Scene:
    """One evaluation under way: what is looked at, and what was found so far.

    `latching` says that a rule which matches has a `clear`, so that every rule's claims are remembered.
    """

    ruleset: Ruleset
    record: AlertRecord
    now: datetime
    around: Around = ALONE
    service_name: str = field(init=False)
    service: Service | None = field(init=False)
    traits: Mapping[str, tuple[str, ...]] = field(init=False)
    latching: bool = False
    reasons: list[RuleReason] = field(default_factory=list)
    held: dict[str, datetime] = field(default_factory=dict)
    next_at: datetime | None = None
    cleared: list[str] = field(default_factory=list)
    asks: list[str] = field(default_factory=list)
    quiet_for: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.service_name = self.record.alert.labels.get(SERVICE_LABEL, "")
        self.service = self.ruleset.services.get(self.service_name)
        self.traits = NO_TRAITS if self.service is None else self.service.traits

    def look_again(self, at: datetime | None) -> None:
        """Note an instant at which something can change."""
        if at is not None and (self.next_at is None or at < self.next_at):
            self.next_at = at

    def since(self, key: str) -> datetime:
        """Return since when a held thing is so, now when it begins; a clock set back must not make it longer."""
        return min(self.record.held.get(key, self.now), self.now)


@dataclass(slots=True)
class _Look:
    """One rule being looked at: `clearing` while its `clear` is."""

    scene: Scene
    rule: ThresholdRule
    predicates: list[Predicate] = field(default_factory=list)
    clearing: bool = False


def claim(scene: Scene, rule: ThresholdRule) -> Severity | None:
    """Return the severity a matching rule claims; leave its reason, what it holds and when to look again."""
    look = _Look(scene, rule)
    quiet: Unless | None = None
    for unless in rule.unless:
        if _is_quiet(look, unless):
            quiet = unless
            break
    if quiet is not None and not quiet.open:
        scene.reasons.append(_reason(look, None, f"quiet: {quiet.why}"))
        return None
    claimed, say = _levels(look)
    if scene.latching:
        claimed, say = _latched(look, claimed, say)
    if quiet is not None:
        scene.quiet_for.append(quiet.open)
        claimed, say = None, f"quiet: {quiet.why}"
    scene.reasons.append(_reason(look, claimed, say))
    return claimed


def _levels(look: _Look) -> tuple[Severity | None, str]:
    """Return the highest severity that a rule's levels reach now, and why."""
    claimed: Severity | None = None
    say = "no severity reached"
    levels: Sequence[Level] = look.rule.levels
    if len(levels) > 1:  # worst first: what a lower level comes to decides nothing
        levels = sorted(levels, key=lambda level: -SEVERITY_RANK[level.severity])
    for level in levels:
        first = len(look.predicates)
        claims, changes_at = _level(look, level, outdone=claimed is not None)
        look.scene.look_again(changes_at)
        if claims and claimed is None:
            claimed = level.severity
            true = [f"{text} ({observed})" for text, observed, outcome in look.predicates[first:] if outcome]
            say = f"{claimed}: {', '.join(true) or 'whatever is measured'}"
    return claimed, say


def _level(look: _Look, level: Level, *, outdone: bool) -> tuple[bool, datetime | None]:
    """Return whether a level claims, and when to look again because of it; `outdone` by a worse one of its rule.

    An outdone level is looked at for its hold only, which has to begin and to end on time.
    """
    scene = look.scene
    true, changes_at = _condition(look, level.condition)
    if not level.for_seconds:
        return bool(true), None if outdone else changes_at
    key = f"{look.rule.name}/{level.severity}"
    if not true:
        if true is None and key in scene.record.held:
            scene.held[key] = scene.since(key)
        return False, changes_at
    since = scene.held[key] = scene.since(key)
    held_seconds = (scene.now - since).total_seconds()
    claims = held_seconds >= level.for_seconds
    look.predicates.append(
        (f"{level.severity} for {format_duration(level.for_seconds)}", format_duration(held_seconds), claims)
    )
    if claims or outdone:
        return claims, changes_at
    return False, min(filter(None, (_later(since, level.for_seconds), changes_at)), default=None)


def _latched(look: _Look, claimed: Severity | None, say: str) -> tuple[Severity | None, str]:
    """Return what a rule claims when what it claimed before counts too; remembers it, or lets it go."""
    scene, rule = look.scene, look.rule
    before = next((s for s in reversed(SEVERITIES) if _latch(rule, s) in scene.record.held), None)
    best = max((s for s in (before, claimed) if s is not None), key=SEVERITY_RANK.__getitem__, default=None)
    if best is None:
        return None, say
    key = _latch(rule, best)
    scene.held[key] = scene.since(key)
    if rule.clear is None:
        return claimed, say
    if claimed is not None or not _is_clear(look, rule.clear):
        kept = f"{best}: claimed before, and not clear since"
        return best, say if best is claimed else kept
    del scene.held[key]
    true = [f"{text} ({observed})" for text, observed, outcome in look.predicates if outcome]
    say = f"clear: {', '.join(true)}"
    scene.cleared.append(f"{rule.name} is {say}")
    return None, say


def _is_clear(look: _Look, clear: Clear) -> bool:
    """Return whether `clear` has held for its time; looks again when time alone can change that."""
    scene = look.scene
    look.clearing = True
    first = len(look.predicates)
    true, changes_at = _condition(look, clear.condition)
    for place in range(first, len(look.predicates)):
        text, observed, outcome = look.predicates[place]
        look.predicates[place] = (f"clear when {text}", observed, outcome)
    scene.look_again(changes_at)
    key = f"{look.rule.name}/clear"
    if not true:
        if true is None and key in scene.record.held:
            scene.held[key] = scene.since(key)
        return False
    since = scene.since(key)
    held_seconds = (scene.now - since).total_seconds()
    done = held_seconds >= clear.for_seconds
    if clear.for_seconds:
        look.predicates.append((f"clear for {format_duration(clear.for_seconds)}", format_duration(held_seconds), done))
    if not done:
        scene.held[key] = since
        scene.look_again(_later(since, clear.for_seconds))
    return done


# -------------------------------------------------------------------------------------------------- conditions


def _condition(look: _Look, condition: Condition | None) -> tuple[bool | None, datetime | None]:
    """Return whether a condition is true (None: not known yet), and when time alone can change that at the earliest."""
    if condition is None:
        return True, None
    if isinstance(condition, Comparison):
        return _comparison(look, condition)
    parts = [_condition(look, part) for part in condition.parts]
    instants = [changes_at for _, changes_at in parts if changes_at is not None]
    sufficient = isinstance(condition, AnyOf)  # the outcome that a single part brings about
    deciding = [changes_at for true, changes_at in parts if true is sufficient]
    if not deciding:
        unknown = any(true is None for true, _ in parts)
        return None if unknown else not sufficient, min(instants, default=None)
    # it stays until the last of the deciding parts has changed
    return sufficient, None if None in deciding else max(filter(None, deciding))


def _comparison(look: _Look, comparison: Comparison) -> tuple[bool | None, datetime | None]:
    scene = look.scene
    sources = scene.ruleset.facts
    source = sources.get(comparison.fact)
    if comparison.fact in TALLIED_FACTS:
        quantity, changes_at = count(comparison, scene.around.tally(look.rule, scene.record), scene.now)
    else:
        quantity, changes_at = observe(comparison, scene.record, scene.service, sources, scene.now)
    if quantity is None and source is not None and source.query is not None:
        quantity, changes_at, waits = _asked(scene, comparison, source)
        if waits:
            look.predicates.append((comparison.text, "being asked", False))
            return None, changes_at
    if quantity is not None:
        true = holds(comparison, quantity.value)
        observed = str(quantity)
    else:
        missing = missing_of(comparison, sources)
        observed = f"missing: {missing}"
        match missing:
            case Missing.PAGE:
                true = not look.clearing
            case Missing.SKIP:
                true = False
            case Missing.ASSUME_ZERO:
                true = holds(comparison, 0.0)
            case _:
                assert_never(missing)
    look.predicates.append((comparison.text, observed, true))
    return true, changes_at


def _asked(scene: Scene, comparison: Comparison, source: FactSource) -> tuple[Quantity | None, datetime | None, bool]:
    """Return what Prometheus says a fact is, when to look again, and whether there is an answer to wait for."""
    query = source.query.filled(scene.record.alert.labels) if source.query is not None else None
    if query is None or comparison.limit.unit not in (source.unit, UNIT_COUNT):
        return None, None, False
    prometheus = scene.ruleset.prometheus or NO_PROMETHEUS
    answer = scene.around.answer(query)
    said = None if answer is None or answer.value is None else Quantity(answer.value, source.unit)
    if answer is not None:
        stale_at = _later(answer.at, prometheus.cache_seconds)
        if stale_at is not None and scene.now < stale_at:
            return said, stale_at, False
    scene.asks.append(query)
    key = f"?{source.name}"
    since = scene.held[key] = scene.since(key)
    given_up_at = _later(since, prometheus.timeout_seconds)
    if given_up_at is not None and scene.now < given_up_at:
        return said, given_up_at, answer is None
    return None, _later(scene.now, prometheus.cache_seconds), False


# ------------------------------------------------------------------------------------------------------- quiet


def _is_quiet(look: _Look, unless: Unless) -> bool:
    """Return whether an `unless` keeps the rule quiet, and note what was seen."""
    scene = look.scene
    labels = scene.record.alert.labels
    if unless.match is not None:
        quiet = unless.match.matches(labels, scene.traits)
        look.predicates.append((f"unless {unless.match.text}", _observed_labels(scene, unless), quiet))
        if not quiet or not unless.open:
            return quiet
    cause = _cause(look, unless)
    same = f", same {', '.join(unless.same)}" if unless.same else ""
    seen = f"INC-{cause.incident} is open" if cause is not None else "no such incident is open"
    look.predicates.append((f"unless {unless.open} is open{same}", seen, cause is not None))
    return cause is not None


def _cause(look: _Look, unless: Unless) -> OpenCause | None:
    """Return the first alert that agrees in every label that has to be the same; no rule waits for its own ones."""
    record = look.scene.record
    mine = record.alert.labels
    for cause in look.scene.around.causes(unless.open):
        own = cause.incident == record.incident or cause.rule == look.rule.name
        if not own and all(cause.labels.get(name, "") == mine.get(name, "") for name in unless.same):
            return cause
    return None


def _observed_labels(scene: Scene, unless: Unless) -> str:
    labels = scene.record.alert.labels
    names: Sequence[str] = [matcher.name for matcher in unless.match.matchers] if unless.match is not None else ()
    shown = ", ".join(f"{name}={labels.get(name, '')}" for name in names)
    return shown if len(shown) <= SHOWN_CHARS_MAX else shown[: SHOWN_CHARS_MAX - 1] + "…"


def _reason(look: _Look, severity: Severity | None, say: str) -> RuleReason:
    return RuleReason(
        rule=look.rule.name, kind=KIND_THRESHOLD, severity=severity, say=say, predicates=tuple(look.predicates)
    )


def _latch(rule: ThresholdRule, severity: Severity) -> str:
    return f"{rule.name}{LATCH_MARK}{severity}"


def _later(at: datetime, seconds: float) -> datetime | None:
    """Return `at` and `seconds`, None when that is beyond the calendar."""
    try:
        return at + timedelta(seconds=seconds)
    except OverflowError:
        return None
