"""The language of rules: what is measured, what breaks, and which severity follows."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, PlainValidator, WithJsonSchema, model_validator

from escalatord.config.fields import (
    ConditionText,
    Day,
    Duration,
    FactFrom,
    MatchersText,
    Money,
    Name,
    OwnerText,
    SeverityWord,
    StartAt,
    Text,
    Unit,
    WebAddress,
    Window,
    refuse,
    text_or_refuse,
)
from escalatord.config.schema_base import Part
from escalatord.core.queries import Query, parse_query

CONDITIONS_MAX = 50
LABELS_MAX = 20
FACTOR_MIN = 1.1
FACTOR_MAX = 1_000.0
ASK_SECONDS_MAX = 30.0
CACHE_SECONDS_MIN = 5.0
FIX_ORIGIN = "write from: label.NAME, annotation.NAME or value.NAME, or query: with PromQL"
WAYS_TO_MATCH = ("match", "absent", "anomaly")


def _query(value: object) -> Query:
    text = text_or_refuse(value, 'a query like sum(sessions{service="{{ service }}"})')
    try:
        return parse_query(text)
    except ValueError as error:
        raise refuse("E013", str(error), 'write it like sum(sessions{service="{{ service }}"})') from None


QueryText = Annotated[
    Query,
    PlainValidator(_query),
    WithJsonSchema({"type": "string", "examples": ['sum(sessions{service="{{ service }}"})']}),
]


class FactPart(Part):
    """A named quantity that conditions compare."""

    from_: FactFrom | None = Field(
        None, alias="from", description="label.NAME, annotation.NAME or value.NAME of the alert"
    )
    or_query: QueryText | None = Field(
        None, description="PromQL that is asked where the alert does not say it; {{ service }} is the alert's label"
    )
    query: QueryText | None = Field(None, description="instead of `from`: PromQL that is always asked")
    unit: Unit = Field("", description="what it counts: percent, seconds, users, EUR; a bare number when left out")
    missing: Literal["page", "skip", "assume 0"] = Field(
        "page", description="what a rule does when the fact cannot be had"
    )

    @model_validator(mode="after")
    def _one_origin(self) -> "FactPart":
        if (self.from_ is None) is (self.query is None):
            say = "from and query stand together" if self.query is not None else "neither `from` nor `query` is given"
            code, fix = ("E013", "write or_query beside from") if self.query is not None else ("E012", FIX_ORIGIN)
            raise refuse(code, say, fix)
        if self.or_query is not None and self.from_ is None:
            raise refuse("E013", "or_query stands beside `from` only", "drop it, or write from: label.NAME")
        return self


class PrometheusPart(Part):
    """A Prometheus, or whatever speaks its API."""

    url: WebAddress = Field(description="its address, without /api/v1: http://prometheus:9090")
    timeout: Window | None = Field(None, description="after this long without an answer a fact is missing; default 2s")
    cache: Window | None = Field(
        None, description="how long an answer counts; then it is asked again while an alert needs it; default 30s"
    )
    bearer: Text | None = Field(None, description="secret: file:NAME; sent as Authorization: Bearer")

    @model_validator(mode="after")
    def _bounded(self) -> "PrometheusPart":
        if (self.timeout or 0.0) > ASK_SECONDS_MAX:
            raise refuse("E013", f"a page would wait longer than {ASK_SECONDS_MAX:g}s for it", "write 2s")
        if (self.cache or CACHE_SECONDS_MIN) < CACHE_SECONDS_MIN:
            raise refuse(
                "E013", f"every firing alert would ask more often than each {CACHE_SECONDS_MIN:g}s", "write 30s"
            )
        return self


class ServicePart(Part):
    """Something that breaks, who owns it, and what its breaking costs."""

    owner: OwnerText | None = Field(None, description="team X or person X")
    policy: Name | None = Field(None, description="policy of its alerts, unless a rule names another")
    revenue_per_hour: Money | None = Field(None, description="120000 EUR; feeds the fact revenue_loss")
    segments: list[Text] = Field([], description='customers who feel it; matched as segment="enterprise"')
    regulated: list[Text] = Field([], description='regimes it is under: [pci, pii]; matched as regulated="pii"')
    depends_on: list[Name] = Field([], description='services it needs; matched as depends_on="db-main"')
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


class ClearPart(LevelPart):
    """What must hold before a rule lets go of what it claimed."""

    @model_validator(mode="after")
    def _something(self) -> "ClearPart":
        if not (self.when or self.any_ or self.all_):
            raise refuse("E012", "nothing is said to clear it", "write when: with one condition, or any, or all")
        return self


class AbsentPart(Part):
    """Nothing came for too long."""

    match: MatchersText = Field(description="what should come")
    source: Name | None = Field(None, description="a key under `sources`; default: from anywhere")
    for_: Window = Field(alias="for", description="it fires when nothing that matches came for so long")


class AnomalyPart(Part):
    """More or fewer alerts than usual: compared with the same hour of the past four weeks."""

    source: Name = Field(description="a key under `sources`, whose alerts are counted")
    kind: Annotated[
        list[Literal["storm", "silence"]],
        Field(min_length=1, max_length=2),
        BeforeValidator(
            lambda value: [value] if isinstance(value, str) else value,
            json_schema_input_type=Literal["storm", "silence"] | list[Literal["storm", "silence"]],
        ),
    ] = Field(["storm", "silence"], description="storm: more than usual; silence: fewer")
    factor: Annotated[float, Field(ge=FACTOR_MIN, le=FACTOR_MAX)] = Field(
        3.0, description="how many times more, or fewer, than usual"
    )
    shadow: bool = Field(True, description="only write into the journal what would have paged")


class UnlessPart(Part):
    """What keeps a rule quiet."""

    match: MatchersText | None = Field(None, description="alerts it keeps quiet")
    open_: Name | None = Field(
        None, alias="open", description="a rule or policy: quiet while an incident of it is open (with `match`: both)"
    )
    same: list[Text] = Field([], max_length=LABELS_MAX, description="labels in which that incident's alert must agree")
    why: Text = Field(description="told to whoever asks why nobody was paged")

    @model_validator(mode="after")
    def _something(self) -> "UnlessPart":
        if self.match is None and self.open_ is None:
            raise refuse("E012", "nothing is said to keep it quiet", "write match: or open:")
        if self.same and self.open_ is None:
            raise refuse("E013", "`same` compares with an open incident", "add open: RULE, or drop same")
        return self


class ThresholdPart(Part):
    """Measurable criteria that set a severity."""

    name: Name = Field(description="unique among rules; told to everybody it pages")
    match: MatchersText | None = Field(None, description="alerts it looks at")
    absent: AbsentPart | None = Field(None, description="instead of match: fires when nothing came for so long")
    anomaly: AnomalyPart | None = Field(None, description="instead of match: fires on more or fewer alerts than usual")
    severity: LevelsPart = Field(description="what must hold for which severity")
    clear: ClearPart | None = Field(
        None, description="what must hold before it lets go; default: only its sender ends it"
    )
    unless: list[UnlessPart] = Field([], description="alerts it keeps quiet about, and why")
    policy: Name | None = Field(None, description="default: the service's policy, else the unmatched one")
    owner: OwnerText | None = None
    review_by: Day | None = Field(None, description="thresholds expire: check warns from this day")
    group_by: list[Text] = Field([], description="labels that split incidents; default: the sender's group")
    repage_on_new_alert: bool = Field(True, description="a new alert in an acked incident pages the owner again")

    @model_validator(mode="after")
    def _one_subject(self) -> "ThresholdPart":
        given = [key for key in WAYS_TO_MATCH if getattr(self, key) is not None]
        if not given:
            raise refuse("E012", "`match` is missing", "add match: alerts it looks at")
        if len(given) > 1:
            raise refuse("E013", f"{' and '.join(given)} stand together", f"write one of {', '.join(WAYS_TO_MATCH)}")
        return self


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


class UnmatchedPart(Part):
    """What happens to an alert that no rule matches."""

    severity: SeverityWord = Field(description="at least this; the sender's own counts when it is worse")
    policy: Name = Field(description="a key under `policies`")
