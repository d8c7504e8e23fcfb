"""The language of people: who they are, how they are reached, and who is on duty when."""

from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator

from escalatord.config.fields import (
    Day,
    Duration,
    Handoff,
    Name,
    Rotate,
    StandIn,
    TargetText,
    Text,
    Window,
    Zone,
    refuse,
)
from escalatord.config.fields_hours import Active, Days, Holidays, WorkingHours
from escalatord.config.schema_base import Part, short_form

MEMBERS_MAX = 200
LAYERS_MAX = 20
STEPS_MAX = 20
AWAY_MAX = 200
PLANS_MAX = 50


class StepPart(Part):
    """One way to reach a person."""

    by: Name = Field(description="a key under `channels`")
    after: Duration = Field(0.0, description="how long after the page, while nobody has acked; default: at once")
    if_failed: list[Name] = Field([], max_length=STEPS_MAX, description="channels tried in order when delivery failed")
    failed_after: Window | None = Field(
        None, description="without a receipt after this long, delivery counts as failed; default 60s"
    )


Plan = Annotated[list[StepPart], Field(min_length=1, max_length=STEPS_MAX)]


class AwayPart(Part):
    """Somebody is away."""

    from_: Text = Field(alias="from", description='"2026-12-24 08:00", in the person\'s zone')
    to: Text = Field(description="when they are back, written like from")
    why: str = Field("", description="shown as the reason why they were not paged")


class PersonPart(Part):
    """Somebody who can be paged. Addresses may be `${NAME}` (environment) or `file:NAME`."""

    name: Text | None = Field(None, description="how messages call them; default: their key")
    sms: Text | None = Field(None, description='phone number for SMS, in quotes, with + and country: "+34600000001"')
    call: Text | None = Field(None, description="phone number for calls, written like sms")
    slack: Text | None = Field(None, description="Slack member id, like U01ANA")
    email: Text | None = Field(None, description="mail address")
    timezone: Zone = Field("UTC", description="their zone; times in messages are told in it")
    languages: list[Text] = Field([], description="languages they read, best first: [es, en]")
    skills: list[Text] = Field([], description="what they can mend")
    region: str = Field("", description="where they work")
    authority: list[Text] = Field([], description="what they may decide: [rollback]")
    away: list[AwayPart] = Field(
        [], max_length=AWAY_MAX, description="when they are not available, to targets that say `& available`"
    )
    plans: dict[Name, Plan] = Field(
        {}, max_length=PLANS_MAX, description="their own contact plans, by the name of the one that each makes stricter"
    )


class TeamPart(Part):
    """People by a common name."""

    members: list[Name] = Field(min_length=1, max_length=MEMBERS_MAX, description="keys under `people`")


class RolePart(Part):
    """A hat: whoever wears it now."""

    holders: list[TargetText] = Field(min_length=1, max_length=MEMBERS_MAX, description="targets: person, team, oncall")


Team = Annotated[TeamPart, BeforeValidator(short_form("members", list), json_schema_input_type=list[Name] | TeamPart)]
Role = Annotated[
    RolePart, BeforeValidator(short_form("holders", list), json_schema_input_type=list[TargetText] | RolePart)
]


class LayerPart(Part):
    """People taking turns, or all together. Later layers win over earlier ones."""

    name: Text | None = Field(None, description="shown as the reason why somebody is on call; default: layer N")
    people: list[Name] = Field(min_length=1, max_length=MEMBERS_MAX, description="keys under `people`, in turn")
    rotate: Rotate | None = Field(
        None, description="hourly, daily, weekly, monthly, or a length like 12 hours or 2 weeks; needed without `all`"
    )
    handoff: Handoff | None = Field(
        None, description="wall-clock time at which the person changes: Mon 09:00 (weekly) or 09:00; default 09:00"
    )
    starts: Day | None = Field(
        None,
        description="needed with `rotate`: the day from which the first person counts; before it nobody does",
    )
    all_: bool = Field(False, alias="all", description="no turns: all of `people` are on call together")
    active: Active | None = Field(
        None,
        description="wall-clock hours like 08:00-20:00, or by weekday {mon-fri: 20:00-08:00, sat-sun: 00:00-24:00}, "
        "or calendar NAME, or outside calendar NAME; default: always",
    )
    timezone: Zone | None = Field(None, description="zone of hand-offs and hours; default: the schedule's")
    shadow: bool = Field(False, description="shown beside who is on call, never paged: somebody learns")

    @model_validator(mode="after")
    def _turns_or_all(self) -> "LayerPart":
        if not self.all_:
            for key, value, example in (("rotate", self.rotate, "weekly"), ("starts", self.starts, '"2026-10-05"')):
                if value is None:
                    raise refuse("E012", f"`{key}` is missing", f"add {key}: {example}, or all: true for no turns")
        elif given := [key for key in ("rotate", "handoff", "starts") if getattr(self, key) is not None]:
            raise refuse("E013", f"`all: true` has no turns, so {' and '.join(given)} mean nothing", "drop them")
        return self


class OverridePart(Part):
    """Somebody stands in."""

    person: Name = Field(description="a key under `people`")
    from_: Text = Field(alias="from", description='"2026-12-24 08:00", in the schedule\'s zone')
    to: Text = Field(description="when it ends, written like from")
    why: str = Field("", description="shown as the reason why they are on call")


class SchedulePart(Part):
    """An on-call duty."""

    timezone: Zone = Field(description="zone of hand-offs, hours and overrides")
    layers: list[LayerPart] = Field([], max_length=LAYERS_MAX, description="rotations, later ones win")
    ical: Text | None = Field(
        None,
        description="instead of layers: another calendar's shifts, as a file beside the rules (NAME.ics), an https "
        "address, or file:NAME that holds the address",
    )
    overrides: list[OverridePart] = Field([], description="planned exchanges; the latest listed wins")
    when_empty: list[StandIn] = Field([], description="people who stand in where nothing covers: [person lead]")

    @model_validator(mode="after")
    def _one_plan(self) -> "SchedulePart":
        if bool(self.layers) == (self.ical is not None):
            say = "layers and ical stand together" if self.layers else "there are neither `layers` nor `ical`"
            raise refuse("E013" if self.layers else "E012", say, "write one of the two")
        return self


class CalendarPart(Part):
    """Working hours."""

    timezone: Zone = Field(description="zone of its hours and holidays")
    days: Days | None = Field(None, description="weekdays: mon-fri (default), or sat, sun")
    hours: WorkingHours = Field(description="working hours like 09:00-18:00, or {mon-thu: 09:00-18:00, fri: …}")
    holidays: Holidays = Field(
        (), description="days off: a country (ES), a region of it (ES-MD), a date, or a list of these"
    )

    @model_validator(mode="before")
    @classmethod
    def _days_once(cls, value: object) -> object:
        if isinstance(value, dict) and "days" in value and isinstance(value.get("hours"), dict):
            raise refuse("E013", "the weekdays stand in both days and hours", "drop days")
        return value
