"""What every channel is: a thing that takes a message and says what became of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from escalatord.clock import Clock
from escalatord.core.alert import Severity
from escalatord.core.incident import Attempt, NoticeKind
from escalatord.core.roster import ChannelKind
from escalatord.names import Names


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One thing to tell one person, rendered for one kind of channel.

    `text` is whole and fits the channel (an SMS is one GSM-7 segment); `title` is a first line or subject; `speech` are
    the sentences of a call. `code`, `link` and `number` (number matching, 0 = none) let the reader answer; `thread` is
    the provider id of the incident's earlier message in this channel ("" = none), for editing in place and replying.
    `validity_seconds` is how long the message is worth delivering. `confidential` messages carry no alert text.
    For `lookup`: `provider_id` is the provider's id of this very attempt ("" = not known), `since` the instant before
    which it cannot have been sent (its due instant; None = not known).
    """

    reference: str
    kind: NoticeKind
    incident: int
    incident_label: str
    severity: Severity
    person: str
    person_name: str
    address: str
    title: str
    text: str
    speech: tuple[str, ...] = ()
    language: str = "en"
    code: str = ""
    link: str = ""
    number: int = 0
    thread: str = ""
    epoch: int = 0
    track: str = ""
    confidential: bool = False
    validity_seconds: float = 900.0
    facts: Mapping[str, object] = field(default_factory=dict)
    provider_id: str = ""
    since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What a provider said: how far the message got, its own id, and a word why (from DeliveryReason, or "")."""

    status: Attempt
    provider_id: str = ""
    reason: str = ""


class Unknown:
    """The provider does not know the reference, or could not say."""


UNKNOWN = Unknown()


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a channel can do. `lookup` = the provider can be asked for a reference after a crash."""

    kind: ChannelKind
    receipts: bool
    two_way: bool
    lookup: bool
    max_length: int
    timeout_seconds: float = 10.0
    concurrency: int = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """What a channel may know of the house it is built in.

    `callback_path(provider, kind, reference)` gives the full URL, under `external_url` and with a MAC, that the
    provider is to call; kinds are `status` (receipts) and `voice` (a key was pressed). `still_ours` is asked right
    before the first octet of a request leaves, and raises when another node may be sending by now.
    `names` keeps the addresses of providers, over reloads too.
    """

    external_url: str
    clock: Clock
    callback_path: Callable[[str, str, str], str]
    still_ours: Callable[[], None] = lambda: None
    names: Names = field(default_factory=Names)


class Channel(Protocol):
    """One way out. Expected trouble is a `DeliveryError`; anything else is a defect and fails the row alone."""

    capabilities: Capabilities

    async def send(self, message: Message) -> Receipt:
        """Hand the message over; return ACCEPTED (or DELIVERED where the hand-over is the delivery)."""
        ...

    async def lookup(self, message: Message) -> Receipt | Unknown:
        """Ask the provider what became of `message.reference`."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...
