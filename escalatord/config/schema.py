"""The language of rules and policies, and the whole of it as one JSON Schema for editors.

Every key here does something; a key that the engine would ignore is not in the language (it is refused as unknown).
"""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from escalatord.config.fields import (
    TIERS_MAX,
    ConditionText,
    Day,
    Duration,
    FactFrom,
    MatchersText,
    Money,
    Name,
    OwnerText,
    SeverityFrom,
    SeverityWord,
    StartAt,
    TargetText,
    Text,
    Unit,
    WebAddress,
    Window,
    refuse,
)
from escalatord.config.schema_base import Part
from escalatord.config.schema_people import PersonPart, Plan, Role, SchedulePart, Team
from escalatord.config.schema_wiring import Channel, SourcePart

SCHEMA_DIALECT = "https://json-schema.org/draft/2020-12/schema"
SCHEMA_ID = "urn:escalatord:rules:1"
TRACKS_MAX = 10
REPEAT_MAX = 20
TARGETS_MAX = 50
CONDITIONS_MAX = 50


class FactPart(Part):
    """A named quantity that conditions compare."""

    from_: FactFrom = Field(alias="from", description="label.NAME, annotation.NAME or value.NAME of the alert")
    unit: Unit = Field("", description="what it counts: percent, seconds, users, EUR; a bare number when left out")
    missing: Literal["page", "skip", "assume 0"] = Field(
        "page", description="what a rule does when the fact cannot be had"
    )


class ServicePart(Part):
    """Something that breaks, who owns it, and what its breaking costs."""

    owner: OwnerText | None = Field(None, description="team X or person X")
    policy: Name | None = Field(None, description="policy of its alerts, unless a rule names another")
    revenue_per_hour: Money | None = Field(None, description="120000 EUR; feeds the fact revenue_loss")
    segments: list[Text] = Field([], description="customers who feel it")
    regulated: list[Text] = Field([], description="regimes it is under: [pci, pii]")
    depends_on: list[Name] = Field([], description="services it needs")
    runbook: WebAddress | None = Field(None, description="where to look first")


class LevelPart(Part):
    """What must hold before a rule claims a severity; nothing = always."""

    when: ConditionText | None = Field(None, description="one condition")
    any_: list[ConditionText] = Field([], alias="any", max_length=CONDITIONS_MAX, description="one of these holds")
    all_: list[ConditionText] = Field([], alias="all", max_length=CONDITIONS_MAX, description="all of these hold")
    for_: Duration = Field(0.0, alias="for", description="for how long without a break")

    @model_validator(mode="after")
    def _one_way(self) -> "LevelPart":
        given = [key for key in ("when", "any", "all") if key in {f.rstrip("_") for f in self.model_fields_set}]
        if len(given) > 1:
            raise refuse("E013", f"{' and '.join(given)} stand together", "write one of when, any, all")
        return self


Level = Annotated[
    LevelPart,
    BeforeValidator(lambda value: {} if value is True else value, json_schema_input_type=LevelPart | Literal[True]),
]


class LevelsPart(Part):
    """The severities a rule can claim."""

    critical: Level | None = None
    error: Level | None = None
    warning: Level | None = None
    info: Level | None = None

    @model_validator(mode="after")
    def _some(self) -> "LevelsPart":
        if not self.model_fields_set:
            raise refuse("E012", "no severity is given", "write at least one, like error: {when: downtime >= 5m}")
        return self


class UnlessPart(Part):
    """What keeps a rule quiet."""

    match: MatchersText = Field(description="alerts it keeps quiet")
    why: Text = Field(description="told to whoever asks why nobody was paged")


class ThresholdPart(Part):
    """Measurable criteria that set a severity."""

    name: Name = Field(description="unique among rules; told to everybody it pages")
    match: MatchersText = Field(description="alerts it looks at")
    severity: LevelsPart = Field(description="what must hold for which severity")
    unless: list[UnlessPart] = Field([], description="alerts it keeps quiet about, and why")
    policy: Name | None = Field(None, description="default: the service's policy, else the unmatched one")
    owner: OwnerText | None = None
    review_by: Day | None = Field(None, description="thresholds expire: check warns from this day")
    group_by: list[Text] = Field([], description="labels that split incidents; default: the sender's group")
    repage_on_new_alert: bool = Field(True, description="a new alert in an acked incident pages the owner again")


class ExceptionPart(Part):
    """Immediate escalation regardless of thresholds; never suppressed."""

    name: Name = Field(description="unique among rules; told to everybody it pages")
    match: MatchersText = Field(description="alerts it looks at")
    severity: SeverityWord = Field(description="info, warning, error or critical")
    policy: Name | None = None
    start_at: StartAt = Field(1, description="first tier, or all: every tier at once")
    also: list[Name] = Field([], description="further policies that start as tracks of the same incident")
    why: Text = Field(description="told to everybody it pages")
    owner: OwnerText | None = None
    group_by: list[Text] = Field([], description="labels that split incidents; default: the sender's group")


class TierPart(Part):
    """One rung."""

    name: Text | None = Field(None, description="shown beside its number")
    page: list[TargetText] = Field(
        min_length=1, max_length=TARGETS_MAX, description="whom: [oncall primary, person ana]"
    )
    backup: list[TargetText] = Field([], max_length=TARGETS_MAX, description="paged when nobody of `page` can be")
    within: Window = Field(description="how long it has to ack")
    remind: list[Window] = Field([], max_length=CONDITIONS_MAX, description="said again after these, inside `within`")
    plan: Name | None = Field(None, description="contact plan; default: the only one, else the one called usual")


class TrackPart(Part):
    """A ladder of tiers."""

    kind: Literal["technical", "stakeholder", "compliance"] | None = Field(
        None, description="whom it serves; default: its name, when that is one of the three"
    )
    when: SeverityFrom | None = Field(None, description="severity >= error; default: always")
    tiers: list[TierPart] = Field(min_length=1, max_length=TIERS_MAX, description="rungs, climbed in order")
    repeat: Annotated[int, Field(ge=0, le=REPEAT_MAX)] = Field(0, description="how often it starts over")


class WhenPart(Part):
    """What changes for one severity."""

    within: Window | None = None
    plan: Name | None = None
    skip_to: Annotated[int, Field(ge=1, le=TIERS_MAX)] | None = Field(None, description="first tier")


class WhensPart(Part):
    """Overrides by severity."""

    critical: WhenPart | None = None
    error: WhenPart | None = None
    warning: WhenPart | None = None
    info: WhenPart | None = None


class LastResortPart(Part):
    """Who is paged again and again once every tier has failed."""

    page: list[TargetText] = Field(min_length=1, max_length=TARGETS_MAX, description="whom: [person cto]")
    plan: Name | None = None
    every: Window | None = Field(None, description="default 30m")


class AckHoldsPart(Part):
    """How long an ack holds before the owner is asked."""

    critical: Window | None = None
    error: Window | None = None
    warning: Window | None = None
    info: Window | None = None
    default: Window | None = Field(None, description="for the severities not given; default 24h")


class CompliancePart(Part):
    """A statutory clock."""

    regime: Text = Field(description="gdpr, nis2, dora …")
    clock_from: Literal["awareness"] = Field(description="it runs from the moment the incident was opened")
    due: Window = Field(description="when it ends, counted from its start: 72h")
    remind: list[Window] = Field([], max_length=CONDITIONS_MAX)


class PolicyPart(Part):
    """Everything about who and when for one kind of trouble."""

    owner: OwnerText | None = None
    tracks: dict[Name, TrackPart] = Field(min_length=1, max_length=TRACKS_MAX, description="the first is the main one")
    when: WhensPart | None = None
    last_resort: LastResortPart = Field(description="who is paged again and again once every tier has failed")
    ack_holds: AckHoldsPart | None = None
    compliance: CompliancePart | None = None
    never: list[Literal["snooze", "bundle", "auto_resolve"]] = Field([], description="what must not happen to it")
    class_: Literal["confidential"] | None = Field(None, alias="class", description="no alert text leaves the house")
    on_resolve: Literal["stand_down", "quiet"] = "stand_down"


class UnmatchedPart(Part):
    """What happens to an alert that no rule matches."""

    severity: SeverityWord = Field(description="at least this; the sender's own counts when it is worse")
    policy: Name = Field(description="a key under `policies`")


class RulesFile(Part):
    """One file of escalatord's rules; any section may stand in any file."""

    facts: dict[Name, FactPart] = Field({}, description="what can be measured")
    services: dict[Name, ServicePart] = Field({}, description="business impact")
    thresholds: list[ThresholdPart] = Field([], description="measurable criteria to severities")
    exceptions: list[ExceptionPart] = Field([], description="immediate escalation regardless of thresholds")
    unmatched: UnmatchedPart | None = Field(None, description="mandatory, once in the directory")
    policies: dict[Name, PolicyPart] = Field({}, description="who and when")
    contact_plans: dict[Name, Plan] = Field({}, description="how one person is reached")
    channels: dict[Name, Channel] = Field({}, description="ways out")
    people: dict[Name, PersonPart] = Field({}, description="who can be paged")
    teams: dict[Name, Team] = Field({}, description="people by a common name")
    roles: dict[Name, Role] = Field({}, description="hats")
    schedules: dict[Name, SchedulePart] = Field({}, description="who is on call when")
    sources: dict[Name, SourcePart] = Field({}, description="monitoring systems that may post")


SECTIONS = tuple(RulesFile.model_fields)


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of one file, for editors."""
    schema = RulesFile.model_json_schema(by_alias=True)
    return {"$schema": SCHEMA_DIALECT, "$id": SCHEMA_ID, **schema, "title": "escalatord rules"}
