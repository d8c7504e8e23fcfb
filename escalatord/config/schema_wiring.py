"""The language of wiring: channels out with their providers' settings, and sources in.

`PROVIDERS` is the table of what a provider is: which kinds of channel it serves, which address it needs, whether it
reports delivery, and (as a model) which settings it needs and accepts.
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag

from escalatord.config.fields import (
    ManyPath,
    MatchersText,
    Money,
    Name,
    OnePath,
    SeverityWord,
    Text,
    Unit,
    WebAddress,
    Window,
)
from escalatord.config.schema_base import Part, short_form
from escalatord.core.roster import ChannelKind

BEARERS_MAX = 2
HEADERS_MAX = 20
KindWord = Literal["sms", "call", "chat", "mail", "webhook"]
KIND_OF_WORD = {
    "sms": ChannelKind.SMS,
    "call": ChannelKind.CALL,
    "voice": ChannelKind.CALL,
    "chat": ChannelKind.CHAT,
    "mail": ChannelKind.MAIL,
    "email": ChannelKind.MAIL,
    "webhook": ChannelKind.WEBHOOK,
}


class ChannelPart(Part):
    """A way out. `secrets` names the settings that are secrets."""

    secrets: ClassVar[frozenset[str]] = frozenset()

    kind: KindWord | None = Field(
        None, description="what it is to its reader; default: from its name (sms_backup → sms)"
    )
    timeout: Window | None = Field(None, description="how long one request may take; default by provider")
    cost: Money | None = Field(None, description="what a message costs: 0.08 EUR; for limits: {spend}")


class SimPart(ChannelPart):
    """Simulated phones: nothing leaves the machine."""

    provider: Literal["sim", "simulated"] = Field(description="who carries it")


class TwilioPart(ChannelPart):
    """SMS and calls by Twilio."""

    secrets = frozenset({"auth_token"})

    provider: Literal["twilio"] = Field(description="who carries it")
    account_sid: Text = Field(description="AC…")
    auth_token: Text = Field(description="secret: file:NAME")
    from_: Text = Field(alias="from", description='our number, in quotes: "+15550100001"')
    language: Text | None = Field(None, description="language of calls, like en-GB")
    voice: Text | None = Field(None, description="voice of calls, by Twilio's name")
    base_url: WebAddress | None = Field(None, description="another server that speaks Twilio's API")


class SlackPart(ChannelPart):
    """A Slack room with buttons."""

    secrets = frozenset({"token", "signing_secret"})

    provider: Literal["slack"] = Field(description="who carries it")
    token: Text = Field(description="secret: file:NAME (xoxb-…)")
    signing_secret: Text = Field(description="secret: file:NAME; clicks without its signature are refused")
    room: Text = Field(description='room name or id, in quotes: "#ops"')
    base_url: WebAddress | None = Field(None, description="another server that speaks Slack's API")


class SmtpPart(ChannelPart):
    """Mail."""

    secrets = frozenset({"password"})

    provider: Literal["smtp"] = Field(description="who carries it")
    host: Text = Field(description="mail server")
    port: int | None = Field(None, ge=1, le=65535, description="its port; default by tls")
    from_: Text = Field(alias="from", description="our mail address")
    username: Text | None = Field(None, description="login name, if the server wants one")
    password: Text | None = Field(None, description="secret: file:NAME")
    tls: Literal["none", "starttls", "tls"] | None = Field(None, description="none, starttls or tls; default starttls")


class WebhookPart(ChannelPart):
    """A signed JSON POST to a program of yours."""

    secrets = frozenset({"secret"})

    provider: Literal["webhook"] = Field(description="who carries it")
    url: WebAddress = Field(description="where to; redirects are not followed")
    secret: Text | None = Field(None, description="secret: file:NAME; signs every body")
    headers: dict[str, Text] = Field({}, max_length=HEADERS_MAX, description="further headers; values may be file:NAME")


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """What a provider is: its model and, by kind of channel, the person's address it needs and whether it reports."""

    model: type[ChannelPart]
    address_keys: dict[ChannelKind, str]
    receipts: frozenset[ChannelKind] = frozenset()


PHONES = {ChannelKind.SMS: "sms", ChannelKind.CALL: "call"}
SIM = Provider(
    model=SimPart,
    # everybody is in the simulated room
    address_keys={**PHONES, ChannelKind.CHAT: "", ChannelKind.MAIL: "email"},
    receipts=frozenset(PHONES),
)
PROVIDERS = {
    "sim": SIM,
    "simulated": SIM,
    "twilio": Provider(model=TwilioPart, address_keys=PHONES, receipts=frozenset(PHONES)),
    "slack": Provider(model=SlackPart, address_keys={ChannelKind.CHAT: "slack"}),
    "smtp": Provider(model=SmtpPart, address_keys={ChannelKind.MAIL: "email"}),
    "webhook": Provider(model=WebhookPart, address_keys={ChannelKind.WEBHOOK: ""}),
}
Channel = Annotated[
    SimPart | TwilioPart | SlackPart | SmtpPart | WebhookPart,
    Field(discriminator="provider"),
]


class AuthPart(Part):
    """How a source proves itself: one bearer token, or two while one is being replaced."""

    bearer: Annotated[
        list[Text],
        Field(min_length=1, max_length=BEARERS_MAX),
        BeforeValidator(
            lambda value: [value] if isinstance(value, str) else value, json_schema_input_type=Text | list[Text]
        ),
    ] = Field(description="secret: file:NAME, or a list of two while rotating")


class StatusPart(Part):
    """Which words mean firing and which resolved."""

    path: OnePath = Field(description="where it stands: $.name")
    firing: list[Text] = Field([], description="words that mean it fires; an unknown word fires too, flagged")
    resolved: list[Text] = Field(min_length=1, description="words that mean it is over, compared exactly")


class SeverityPart(Part):
    """Where the sender's word for badness stands, and what it means."""

    path: OnePath = Field(description="where it stands: $.name")
    values: dict[str, SeverityWord] = Field({}, description="the sender's words to ours")


class StartedPart(Part):
    """Where the start stands and how it is written."""

    path: OnePath = Field(description="where it stands: $.name")
    format: Literal["rfc3339", "epoch", "epoch_ms"] = "rfc3339"


class MeasuredPart(Part):
    """A number with its unit."""

    path: OnePath = Field(description="where it stands: $.name")
    unit: Unit = Field("", description="what it counts; a bare number when left out")


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


Paths = Annotated[
    Annotated[OnePath, Tag("path")] | Annotated[dict[str, OnePath], Tag("paths")],
    Discriminator(lambda value: "path" if isinstance(value, str) else "paths"),
]


class MapPart(Part):
    """Where the generic adapter finds what in a JSON body."""

    each: ManyPath | None = Field(None, description="several alerts in one body: $.jobs[*]")
    fingerprint: Annotated[
        list[OnePath], Field(min_length=1), BeforeValidator(_listed, json_schema_input_type=OnePath | list[OnePath])
    ] = Field(description="paths whose values together identify a condition")
    status: StatusPart | None = None
    severity: Annotated[
        SeverityPart | None,
        BeforeValidator(short_form("path", str), json_schema_input_type=OnePath | SeverityPart),
    ] = None
    title: OnePath | None = None
    summary: OnePath | None = None
    started_at: Annotated[
        StartedPart | None,
        BeforeValidator(short_form("path", str), json_schema_input_type=OnePath | StartedPart),
    ] = None
    labels: Paths = Field({}, description="a path by label, or one path to an object")
    annotations: Paths = Field({}, description="a path by annotation, or one path to an object")
    facts: dict[Name, MeasuredPart] = Field({}, description="numbers, for value.NAME")
    links: dict[str, OnePath] = Field({}, description="addresses shown beside the alert")


def _loopback(value: object) -> object:
    """Read the word `loopback` as credentials without any token."""
    return AuthPart.model_construct(bearer=[]) if value == "loopback" else value


class HeartbeatPart(Part):
    """What proves that a source is alive, and who hears of its silence."""

    every: Window = Field(description="how often it is heard when all is well")
    grace: Window = Field(60.0, description="how much later it may be; default 1m")
    match: MatchersText | None = Field(
        None, description='alerts that are beats; default for alertmanager: alertname="Watchdog"'
    )
    severity: SeverityWord = Field("critical", description="how bad its silence is; default critical")
    policy: Name | None = Field(None, description="who hears of its silence; default: the unmatched one")


class SourcePart(Part):
    """A monitoring system that may post to /in/NAME."""

    adapter: Literal["alertmanager", "generic"] = Field(description="the wire format")
    auth: Annotated[
        AuthPart | None,
        BeforeValidator(_loopback, json_schema_input_type=AuthPart | Literal["loopback"]),
    ] = Field(None, description="{bearer: file:NAME}, or `loopback` to say that only this machine may post")
    default_severity: SeverityWord = Field("error", description="when the sender's is missing or unknown")
    severities: dict[str, SeverityWord] = Field({}, description="the sender's words to ours, over the built-in map")
    map: MapPart | None = Field(None, description="field map of the generic adapter")
    heartbeat: HeartbeatPart | None = Field(None, description="its silence opens an incident")
