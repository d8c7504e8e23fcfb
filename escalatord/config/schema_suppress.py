"""The language of suppression: maintenance windows and inhibitions; silences are made at run time."""

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PlainValidator, WithJsonSchema, model_validator

from escalatord.config.fields import NAME_PATTERN, MatchersText, Name, Text, Zone, refuse, text_or_refuse
from escalatord.config.fields_hours import DAYS_PATTERN, days_of, hours_of
from escalatord.config.schema_base import Part
from escalatord.core.calendar import EVERY_DAY, Hours
from escalatord.core.mutes import Template, parse_mute
from escalatord.core.policy import Target, TargetKind

WINDOWS_MAX = 20
EVERY = re.compile(rf"(?:({DAYS_PATTERN})\s+)?(\d\d:\d\d\s*-\s*\d\d:\d\d)", re.ASCII | re.IGNORECASE)
BY = re.compile(rf"(?:(person|team)\s+)?({NAME_PATTERN})", re.ASCII)
FIX_EVERY = "write it like Sun 02:00-04:00, mon-fri 22:00-06:00 or 03:00-03:30"
OF_KIND = {
    "maintenance": (("match",), ("from", "to", "every")),
    "inhibit": (("when", "mute"), ()),
}
"""What each kind must have, and what it may have besides."""


def _every(value: object) -> Hours:
    text = text_or_refuse(value, "a weekly window like Sun 02:00-04:00")
    match = EVERY.fullmatch(text.strip())
    if match is None:
        raise refuse("E024", f'"{text[:40]}" is not a weekly window', FIX_EVERY)
    return hours_of(match[2], days_of(match[1]) if match[1] else EVERY_DAY)


def _mute(value: object) -> Template:
    text = text_or_refuse(value, 'matchers like region="{{ region }}"')
    try:
        return parse_mute(text)
    except ValueError as error:
        raise refuse("E021", str(error), 'write them like region="{{ region }}", env="prod"') from None


def _by(value: object) -> Target:
    text = text_or_refuse(value, "who answers for it, like ana or team platform")
    match = BY.fullmatch(text.strip())
    if match is None:
        raise refuse("E013", f'"{text[:80]}" is nobody', "write ana, person ana or team platform")
    return Target(TargetKind(match[1] or "person"), match[2])


Weekly = Annotated[Hours, PlainValidator(_every), WithJsonSchema({"type": "string", "examples": ["Sun 02:00-04:00"]})]
MuteText = Annotated[
    Template,
    PlainValidator(_mute),
    WithJsonSchema({"type": "string", "examples": ['region="{{ region }}"']}),
]
ByText = Annotated[
    Target, PlainValidator(_by), WithJsonSchema({"type": "string", "examples": ["ana", "team platform"]})
]


def _several(value: object) -> object:
    return value if isinstance(value, list) else [value]


class SuppressPart(Part):
    """Alerts that page nobody for a while. Exceptions and statutory clocks are never suppressed."""

    kind: Literal["maintenance", "inhibit"] = Field(
        description="maintenance: planned times; inhibit: while something else is open (a silence is made at run time)"
    )
    match: MatchersText | None = Field(None, description="maintenance: the alerts that are quiet")
    from_: Text | None = Field(None, alias="from", description='maintenance: when it begins, "2026-10-10 22:00"')
    to: Text | None = Field(None, description="maintenance: when it ends; at most 30 days later")
    every: (
        Annotated[
            list[Weekly],
            Field(min_length=1, max_length=WINDOWS_MAX),
            BeforeValidator(_several, json_schema_input_type=Any),
        ]
        | None
    ) = Field(None, description="maintenance, instead of from and to: every week, Sun 02:00-04:00; a list for several")
    timezone: Zone = Field("UTC", description="of from, to and every; default UTC")
    when: Name | None = Field(None, description="inhibit: a rule or policy; quiet while an incident of it is open")
    mute: MuteText | None = Field(
        None, description="inhibit: the alerts that are quiet; {{ region }} is that label of the alert that causes it"
    )
    why: Text = Field(description="told to whoever asks why nobody was paged")
    by: ByText = Field(description="who answers for it: a key under `people`, or team X")
    apply_to_open: bool = Field(False, description="also take alerts out of incidents that are open already")

    @model_validator(mode="after")
    def _as_its_kind(self) -> "SuppressPart":
        needed, besides = OF_KIND[self.kind]
        given = {name.rstrip("_") for name in self.model_fields_set if getattr(self, name) is not None}
        for key in needed:
            if key not in given:
                raise refuse("E012", f"`{key}` is missing", f"every {self.kind} needs {' and '.join(needed)}")
        for others in OF_KIND.values():
            for key in (*others[0], *others[1]):
                if key in given and key not in (*needed, *besides):
                    raise refuse("E013", f"`{key}` means nothing in kind: {self.kind}", "delete it")
        if self.kind == "inhibit" and "timezone" in given:
            raise refuse("E013", "`timezone` means nothing in kind: inhibit", "delete it")
        times = given & {"from", "to", "every"}
        if self.kind == "maintenance" and times not in ({"from", "to"}, {"every"}):
            say = "these times do not make a window" if times else "its times are missing"
            raise refuse("E012", say, "write from: and to:, or every: Sun 02:00-04:00")
        return self
