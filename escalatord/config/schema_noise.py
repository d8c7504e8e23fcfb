"""The language of less noise: storms, flapping, and how many messages one person gets."""

import re
from typing import Annotated

from pydantic import Field, PlainValidator, WithJsonSchema, model_validator

from escalatord.config.fields import MatchersText, Money, Text, Window, refuse, text_or_refuse
from escalatord.config.schema_base import Part
from escalatord.core.noise import Limit
from escalatord.core.units import parse_duration_seconds

BY_MAX = 10
OVER_MAX = 1_000
LIMITS_MAX = 10
LIMIT_COUNT_MAX = 10_000
GROUP_WINDOW_SECONDS_MAX = 3600.0
FLAP_SECONDS_MAX = 12 * 3600.0
LIMIT_WINDOW_SECONDS_MAX = 86400.0
LIMIT = re.compile(r"([1-9][0-9]{0,4})/(\S+)", re.ASCII)
FIX_LIMIT = "write it like 5/15m: at most five in fifteen minutes"


def _limit(value: object) -> Limit:
    text = text_or_refuse(value, "a limit like 5/15m")
    match = LIMIT.fullmatch(text.strip())
    if match is None or int(match[1]) > LIMIT_COUNT_MAX:
        raise refuse("E013", f'"{text[:40]}" is not a limit', FIX_LIMIT)
    try:
        seconds = parse_duration_seconds(match[2])
    except ValueError as error:
        raise refuse("E023", str(error)) from None
    if not 0 < seconds <= LIMIT_WINDOW_SECONDS_MAX:
        raise refuse("E013", f'the time of "{text[:40]}" must be between 1s and 1d', FIX_LIMIT)
    return Limit(int(match[1]), seconds)


LimitText = Annotated[
    Limit, PlainValidator(_limit), WithJsonSchema({"type": "string", "pattern": r"^[1-9][0-9]*/\S+$"})
]
LimitList = Annotated[list[LimitText], Field(max_length=LIMITS_MAX)]


class GroupPart(Part):
    """A storm becomes one incident."""

    by: list[Text] = Field(
        min_length=1, max_length=BY_MAX, description="labels: incidents with the same values belong together"
    )
    match: MatchersText | None = Field(None, description="only these alerts; default: all that have one of the labels")
    window: Window = Field(description="within which new incidents are counted")
    over: Annotated[int, Field(ge=1, le=OVER_MAX)] = Field(
        description="so many open on their own; the next ones are one incident"
    )

    @model_validator(mode="after")
    def _bounded(self) -> "GroupPart":
        if self.window > GROUP_WINDOW_SECONDS_MAX:
            raise refuse("E013", "incidents an hour apart are no storm", "write a window of at most 1h, like 60s")
        return self


class FlapPart(Part):
    """What fires again soon after its end is the same incident."""

    reopen_within: Window = Field(description="so soon after its end")
    stay_open: Window = Field(description="from then on it must be quiet for so long before it ends again")

    @model_validator(mode="after")
    def _bounded(self) -> "FlapPart":
        if max(self.reopen_within, self.stay_open) > FLAP_SECONDS_MAX:
            raise refuse("E013", "what comes back after half a day is something new", "write at most 12h, like 15m")
        return self


class PerPersonPart(Part):
    """How many messages one person gets by each kind of channel; an empty list = as many as there are."""

    sms: LimitList | None = Field(None, description="[1/1m, 5/15m, 11/1h]; default [10/1m]")
    call: LimitList | None = Field(None, description="[1/1m, 3/15m, 7/1h]; default [5/1m]")
    mail: LimitList | None = Field(None, description="default [30/1m]")


class SpendPart(Part):
    """What all messages of a day may cost."""

    per_day: Money = Field(description="50 EUR, from midnight to midnight UTC; channels say their `cost`")
    past: Annotated[
        str,
        Field(pattern="^only_critical$"),
        WithJsonSchema({"const": "only_critical"}),
    ] = Field("only_critical", description="what still goes by channels that cost money: critical incidents alone")


class LimitsPart(Part):
    """Budgets of messages; see `limits` in the reference for what happens past them."""

    per_person: PerPersonPart | None = Field(None, description="messages by kind of channel")
    spend: SpendPart | None = Field(None, description="money")
