"""The language of rules and policies, and the whole of it as one JSON Schema for editors.

Every key here does something; a key that the engine would ignore is not in the language (it is refused as unknown).
"""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from escalatord.config.fields import (
    TIERS_MAX,
    Name,
    Need,
    OwnerText,
    SeverityFrom,
    TargetText,
    Text,
    Window,
    refuse,
)
from escalatord.config.schema_base import Part
from escalatord.config.schema_noise import FlapPart, GroupPart, LimitsPart
from escalatord.config.schema_people import CalendarPart, PersonPart, Plan, Role, SchedulePart, Team
from escalatord.config.schema_rules import (
    ExceptionPart,
    FactPart,
    PrometheusPart,
    ServicePart,
    ThresholdPart,
    UnmatchedPart,
)
from escalatord.config.schema_suppress import SuppressPart
from escalatord.config.schema_templates import TemplatePart
from escalatord.config.schema_wiring import Channel, SourcePart
from escalatord.core.policy import NEED_FIRST

SCHEMA_DIALECT = "https://json-schema.org/draft/2020-12/schema"
SCHEMA_ID = "urn:escalatord:rules:1"
TRACKS_MAX = 10
REPEAT_MAX = 20
TARGETS_MAX = 50
CONDITIONS_MAX = 50


class TierPart(Part):
    """One rung."""

    name: Text | None = Field(None, description="shown beside its number")
    page: list[TargetText] = Field(
        min_length=1,
        max_length=TARGETS_MAX,
        description="whom: [oncall primary, person ana, oncall db & skill postgres & available]",
    )
    backup: list[TargetText] = Field([], max_length=TARGETS_MAX, description="paged when nobody of `page` can be")
    within: Window = Field(description="how long it has to ack")
    remind: list[Window] = Field([], max_length=CONDITIONS_MAX, description="said again after these, inside `within`")
    plan: Name | None = Field(None, description="contact plan; default: the only one, else the one called usual")
    template: Name | None = Field(None, description="in which words; default: the built-in ones")
    need: Need = Field(NEED_FIRST, description="how many have to ack before it is held: first (default), all, or 2")
    prefer: Literal["least_paged_24h"] | None = Field(
        None, description="whom to choose: who was paged least in the past 24 hours; default: everybody is paged"
    )
    pick: Annotated[int, Field(ge=1, le=TARGETS_MAX)] | None = Field(
        None,
        description="with `prefer`: how many of them are paged; default: as many as are needed. The others stand in",
    )
    on_enter: list[Literal["open_rca", "freeze_changes"]] = Field(
        [], max_length=CONDITIONS_MAX, description="tasks that entering it asks of the policy's owner"
    )

    @model_validator(mode="after")
    def _pick_by_preference(self) -> "TierPart":
        if self.pick is not None and self.prefer is None:
            raise refuse("E013", "`pick` means something only beside `prefer`", "add prefer: least_paged_24h")
        return self


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


class MilestonesPart(Part):
    """What whoever acked is held to; each escalates by itself."""

    mitigate_by: Window | None = Field(None, description="somebody says that the harm is stopped, or it is over: 2h")
    update_every: Window | None = Field(None, description="somebody writes a note while it is acked: 30m")
    resolve_by: Window | None = Field(None, description="it is over: 8h")

    @model_validator(mode="after")
    def _some(self) -> "MilestonesPart":
        if not self.model_fields_set:
            raise refuse("E012", "no milestone is given", "write mitigate_by, update_every or resolve_by")
        return self


class HoursPart(Part):
    """When its pages go out; those of exceptions and compliance tracks always do."""

    calendar: Name = Field(description="a key under `calendars`: its working hours")
    outside: Literal["hold"] = Field("hold", description="pages wait for the next start of these hours")
    unless: SeverityFrom | None = Field(None, description="severity >= critical: those go out at once")


class PolicyPart(Part):
    """Everything about who and when for one kind of trouble."""

    owner: OwnerText | None = None
    tracks: dict[Name, TrackPart] = Field(min_length=1, max_length=TRACKS_MAX, description="the first is the main one")
    when: WhensPart | None = None
    last_resort: LastResortPart = Field(description="who is paged again and again once every tier has failed")
    ack_holds: AckHoldsPart | None = None
    milestones: MilestonesPart | None = Field(None, description="what whoever acked is held to")
    hours: HoursPart | None = Field(None, description="outside office hours pages wait for their next start")
    compliance: CompliancePart | None = None
    never: list[Literal["snooze", "bundle", "auto_resolve"]] = Field([], description="what must not happen to it")
    class_: Literal["confidential"] | None = Field(None, alias="class", description="no alert text leaves the house")
    on_resolve: Literal["stand_down", "quiet"] = "stand_down"


class RulesFile(Part):
    """One file of escalatord's rules; any section may stand in any file."""

    facts: dict[Name, FactPart] = Field({}, description="what can be measured")
    services: dict[Name, ServicePart] = Field({}, description="business impact")
    thresholds: list[ThresholdPart] = Field([], description="measurable criteria to severities")
    exceptions: list[ExceptionPart] = Field([], description="immediate escalation regardless of thresholds")
    suppress: list[SuppressPart] = Field([], description="maintenance windows and inhibitions; never of exceptions")
    regimes: dict[Name, Name] = Field({}, description="policies that regulated services get besides, by regime")
    prometheus: PrometheusPart | None = Field(None, description="where facts with a query are asked")
    unmatched: UnmatchedPart | None = Field(None, description="mandatory, once in the directory")
    policies: dict[Name, PolicyPart] = Field({}, description="who and when")
    contact_plans: dict[Name, Plan] = Field({}, description="how one person is reached")
    channels: dict[Name, Channel] = Field({}, description="ways out")
    people: dict[Name, PersonPart] = Field({}, description="who can be paged")
    teams: dict[Name, Team] = Field({}, description="people by a common name")
    roles: dict[Name, Role] = Field({}, description="hats")
    schedules: dict[Name, SchedulePart] = Field({}, description="who is on call when")
    calendars: dict[Name, CalendarPart] = Field({}, description="working hours and holidays")
    sources: dict[Name, SourcePart] = Field({}, description="monitoring systems that may post")
    templates: dict[Name, TemplatePart] = Field({}, description="in which words a tier's people are told")
    groups: dict[Name, GroupPart] = Field({}, description="storms that become one incident")
    flap: FlapPart | None = Field(None, description="what fires again soon after its end goes on as the same incident")
    limits: LimitsPart | None = Field(None, description="how many messages one person gets, and what a day may cost")


SECTIONS = tuple(RulesFile.model_fields)


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of one file, for editors."""
    schema = RulesFile.model_json_schema(by_alias=True)
    return {"$schema": SCHEMA_DIALECT, "$id": SCHEMA_ID, **schema, "title": "escalatord rules"}
