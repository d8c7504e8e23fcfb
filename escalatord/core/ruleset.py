"""A loaded rule set, and the world a step may look at: immutable snapshots."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from escalatord.core.alert import Severity
from escalatord.core.away import Away
from escalatord.core.calendar import Calendar
from escalatord.core.matchers import MatcherIndex
from escalatord.core.mutes import Filed
from escalatord.core.noise import Flap, Group, Limits
from escalatord.core.policy import ContactPlan, Policy, Target
from escalatord.core.roster import ChannelSpec, Person
from escalatord.core.rules import ExceptionRule, FactSource, Service, ThresholdRule, heartbeat_rule
from escalatord.core.schedule import Override, Schedule
from escalatord.core.template import Template


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSpec:
    """A monitoring system that may post. `adapter` names the wire format; `secret_hashes` are its tokens' SHA-256.

    `map` is the field map of the generic adapter (validated by config, used by ingest). `severities` maps the
    sender's words; `human_acks` says that its machine acks were made by humans.
    """

    name: str
    adapter: str
    secret_hashes: tuple[str, ...] = ()
    default_severity: Severity = Severity.ERROR
    severities: Mapping[str, Severity] = field(default_factory=dict)
    map: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmatched:
    """What happens to an alert that no rule matches."""

    severity: Severity
    policy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PrometheusSpec:
    """Where facts with a query are asked. `bearer` is a secret ("" = none); an answer counts for `cache_seconds`."""

    url: str
    timeout_seconds: float = 2.0
    cache_seconds: float = 30.0
    bearer: object = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruleset:
    """Everything the YAML files say, as values. `hash` is the hex SHA-256 prefix of the files (16 digits).

    `regimes` names the policy that an incident of a service under a regime gets besides.
    """

    hash: str
    unmatched: Unmatched
    policies: Mapping[str, Policy]
    people: Mapping[str, Person] = field(default_factory=dict)
    teams: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    roles: Mapping[str, tuple[Target, ...]] = field(default_factory=dict)
    schedules: Mapping[str, Schedule] = field(default_factory=dict)
    calendars: Mapping[str, Calendar] = field(default_factory=dict)
    channels: Mapping[str, ChannelSpec] = field(default_factory=dict)
    contact_plans: Mapping[str, ContactPlan] = field(default_factory=dict)
    facts: Mapping[str, FactSource] = field(default_factory=dict)
    services: Mapping[str, Service] = field(default_factory=dict)
    thresholds: tuple[ThresholdRule, ...] = ()
    exceptions: tuple[ExceptionRule, ...] = ()
    suppress: tuple[Filed, ...] = ()
    regimes: Mapping[str, str] = field(default_factory=dict)
    prometheus: PrometheusSpec | None = None
    sources: Mapping[str, SourceSpec] = field(default_factory=dict)
    templates: Mapping[str, Template] = field(default_factory=dict)
    groups: tuple[Group, ...] = ()
    flap: Flap | None = None
    limits: Limits = field(default_factory=Limits)
    threshold_index: MatcherIndex = field(default_factory=lambda: MatcherIndex(()), compare=False, repr=False)
    exception_index: MatcherIndex = field(default_factory=lambda: MatcherIndex(()), compare=False, repr=False)
    suppress_index: MatcherIndex = field(default_factory=lambda: MatcherIndex(()), compare=False, repr=False)

    def heartbeat_of(self, source: str) -> ThresholdRule | None:
        """Return the rule that misses a source's heartbeat, None when nobody waits for one."""
        name = heartbeat_rule(source)
        return next((rule for rule in self.thresholds if rule.name == name), None)

    def policies_of_regimes(self, service: str) -> tuple[str, ...]:
        """Return the policies that every incident of a service gets besides, because of what it is regulated by."""
        known = self.services.get(service) if self.regimes else None
        return tuple(self.regimes[name] for name in known.regulated if name in self.regimes) if known else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What a step may look up: the rules in force, pinned policies by hash, overrides, who cannot be reached.

    `unreachable` holds (person, address key) pairs: STOP was sent, the number is dead. `away` are spans made known at
    run time. `paged` counts how often tiers have paged whom in the past 24 h; empty where no tier asks for that.
    """

    ruleset: Ruleset
    policies: Mapping[str, Policy]
    overrides: tuple[Override, ...] = ()
    unreachable: frozenset[tuple[str, str]] = frozenset()
    away: tuple[Away, ...] = ()
    paged: Mapping[str, int] = field(default_factory=dict)

    def policy(self, pinned: str) -> Policy:
        """Return the policy with the hash `pinned`; KeyError when the engine did not provide it."""
        return self.policies[pinned]
