"""Messages, channel specifications and surroundings to build channels with in tests."""

from dataclasses import replace
from typing import Any

from escalatord.clock import Clock
from escalatord.core.alert import Severity
from escalatord.core.incident import NoticeKind
from escalatord.core.roster import ChannelKind, ChannelSpec
from escalatord.notify.channel import Message, Outside

EXTERNAL_URL = "https://esc.example.com"
PHONE = "+34600000021"
LINK = "https://esc.example.com/a/7QF3M9TX2B4KP"
PAGE = Message(
    reference="142.technical.1.ana.sms.1",
    kind=NoticeKind.PAGE,
    incident=142,
    incident_label="INC-142",
    severity=Severity.CRITICAL,
    person="ana",
    person_name="Ana Ruiz",
    address=PHONE,
    title="checkout: 5xx rate 8.2% over 5% for 5m.",
    text=f"CRIT K7 checkout: 5xx rate 8.2%\nReply K7 to ack\n{LINK}",
    speech=("Severity critical.", "Checkout.", "Press 4 if you have it.", "Press 8 to pass it on."),
    code="K7",
    link=LINK,
    epoch=3,
    track="technical",
    validity_seconds=300.0,
    facts={
        "labels": {"env": "prod"},
        "annotations": {"note": "x"},
        "links": {"runbook": "https://run.example.com/5xx"},
    },
)


class Secret:
    """A secret as the configuration hands it over."""

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the value."""
        return self._value


def message(**changes: Any) -> Message:
    """Return the usual page with some fields changed."""
    return replace(PAGE, **changes)


def spec(kind: ChannelKind, provider: str, *, receipts: bool = True, **settings: object) -> ChannelSpec:
    """Return the specification of a channel named like its kind."""
    settings = {name.rstrip("_"): value for name, value in settings.items()}
    return ChannelSpec(
        name=kind.value, kind=kind, provider=provider, address_key=kind.value, receipts=receipts, settings=settings
    )


def outside(clock: Clock) -> Outside:
    """Return surroundings whose callback URLs carry a readable MAC."""
    return Outside(
        external_url=EXTERNAL_URL,
        clock=clock,
        callback_path=lambda provider, kind, reference: f"{EXTERNAL_URL}/callbacks/{provider}/{kind}/{reference}/mac",
    )
