"""What the web floor is given, as interfaces of the size it uses; `daemon.py` fills them in."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, TypeAlias, TypeVar

from aiohttp import web

from escalatord.clock import Clock
from escalatord.core.alert import Alert
from escalatord.core.incident import Via
from escalatord.core.ruleset import Ruleset
from escalatord.engine.commands import Changed, Command
from escalatord.engine.engine import View
from escalatord.engine.known import KnownBodies
from escalatord.engine.outage import Degraded
from escalatord.errors import Finding
from escalatord.notify.simulated import Switchboard
from escalatord.respond.chat_action import ChatAnswer
from escalatord.respond.keypad import Spoken
from escalatord.respond.link import LinkView
from escalatord.store.rows import NodeRow, OutboxRow
from escalatord.store.tx import Tx

T = TypeVar("T")
Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]

FORM_BYTES_MAX = 64 * 1024
RETRY_AFTER_SECONDS = 5
SESSION_SECONDS = 12 * 3600
SECRET_BYTES_MIN = 32


class EnginePort(Protocol):
    """The engine, as far as HTTP needs it."""

    @property
    def clock(self) -> Clock:
        """Return the clock of the process."""
        ...

    @property
    def ruleset(self) -> Ruleset:
        """Return the rules in force."""
        ...

    @property
    def ready(self) -> bool:
        """Return whether overdue work was caught up after the start."""
        ...

    @property
    def known(self) -> KnownBodies:
        """Return the bodies whose repeats need no look."""
        ...

    @property
    def on_untaken(self) -> Callable[[str, str], None]:
        """Return who counts acks that were not taken: (via, why)."""
        ...

    async def submit(self, command: Command) -> object:
        """Commit the command and return its result; raise StoreUnavailableError when nothing was committed."""
        ...

    async def read(self, work: Callable[[Tx], T]) -> T:
        """Run `work` in a read-only transaction."""
        ...

    async def view(self, number: int) -> View | None:
        """Return the incident beside its world, None when there is none."""
        ...

    async def explain(self, source: str, alerts: Sequence[Alert]) -> Sequence[object]:
        """Return what the rules would make of each alert; commit nothing."""
        ...

    async def held_by(self, keys: Sequence[str]) -> Mapping[str, int]:
        """Return how many alerts that fire each of these mutes holds back."""
        ...

    def watch(self) -> AbstractContextManager[asyncio.Queue[Changed]]:
        """Return a bounded queue that hears of every commit while the context is open."""
        ...

    def healthy(self) -> bool:
        """Return whether deadlines are being worked."""
        ...


class SmsPort(Protocol):
    """Hears texts."""

    async def receive(self, number: str, text: str, *, via: Via = Via.SMS, provider_id: str = "") -> str | None:
        """Act on a text from a phone number and return the reply, None for none."""
        ...

    async def hear(self, person: str, text: str, *, via: Via, provider_id: str = "") -> str | None:
        """Act on a text of a person who is known otherwise and return the reply."""
        ...


class KeypadPort(Protocol):
    """Hears keys of phones."""

    async def key(self, row: OutboxRow, digit: str) -> Spoken:
        """Act on a key pressed in the call of an attempt and return what is said then."""
        ...

    async def hung_up(self, row: OutboxRow, duration_seconds: float, status: str, *, key_pressed: bool) -> None:
        """Note what became of the call of an attempt."""
        ...

    async def called_back(self, number: str, digit: str = "") -> Spoken | None:
        """Return what somebody hears who calls us, None for strangers."""
        ...


class LinksPort(Protocol):
    """The ack page behind a link."""

    async def look(self, token: str) -> LinkView:
        """Return what the page shows; change nothing."""
        ...

    async def act(self, token: str, action: str, nonce: str, number: int = 0, detail: str = "") -> LinkView:
        """Do what a button says and return what the page shows then."""
        ...


class ChatPort(Protocol):
    """Hears buttons in chats."""

    async def click(self, user: str, action_id: str, value: str, text: str = "") -> ChatAnswer:
        """Act on a click of a chat user and return what to tell them."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """An example alert that can be fired from the simulated phones; `body` writes it as if it had just happened.

    `source` "" = whichever source of the rules can read it.
    """

    name: str
    source: str
    say: str
    body: Callable[[datetime], bytes]


@dataclass(frozen=True, slots=True)
class Route:
    """One row of the router; who may use it stands in `auth.ACCESS`."""

    method: str
    path: str
    handler: Handler


def no_metrics(accept: str) -> tuple[bytes, str] | None:
    """Return None: there are no figures yet."""
    del accept
    return None


def ignore_request(handler: str, method: str, status: int, seconds: float) -> None:
    """Count nothing: stands in where nobody wants figures."""


def ignore_ingest(source: str, result: str, seconds: float | None) -> None:
    """Count nothing: stands in where nobody wants figures."""


def alone() -> tuple[str, tuple[NodeRow, ...]]:
    """Return that nobody shares the database."""
    return "", ()


def all_is_well() -> Degraded | None:
    """Return that the database is not away."""
    return None


def ignore_alerts(source: str, *, firing: int, resolved: int) -> None:
    """Count nothing: stands in where nobody wants figures."""


class CountAlerts(Protocol):
    """Counts the alerts of a committed body."""

    def __call__(self, source: str, *, firing: int, resolved: int) -> None:
        """Count so many firing and so many resolved alerts of a source."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebParts:
    """Everything the web floor stands on.

    `secret` (at least 32 bytes, kept in the store) signs sessions, forms and callback addresses. `external_url` is how
    the outside reaches us, without a path. `metrics` answers an Accept header with (body, content type), None until the
    figures are seeded. `observe` takes (route, method, status, seconds), `observe_ingest` (source, result, commit
    seconds or None), `count_alerts` the alerts of a committed body. `reload` returns what is wrong with the new rules,
    () when they are in force; None hides the route. `channels_up` maps lanes to whether they work; `degraded` says
    since when pages go on from memory (None = they do not); `nodes` returns the
    id of this node and all that share its database ("" and none when it is alone). `answer_chat` posts a text to a
    chat's response address.
    """

    engine: EnginePort
    secret: bytes
    external_url: str
    sms: SmsPort
    keypad: KeypadPort
    links: LinksPort
    chat: ChatPort
    switchboard: Switchboard | None = None
    examples: Mapping[str, Example] = field(default_factory=dict)
    metrics: Callable[[str], tuple[bytes, str] | None] = no_metrics
    observe: Callable[[str, str, int, float], None] = ignore_request
    observe_ingest: Callable[[str, str, float | None], None] = ignore_ingest
    count_alerts: CountAlerts = ignore_alerts
    reload: Callable[[], Awaitable[tuple[Finding, ...]]] | None = None
    channels_up: Callable[[], Mapping[str, bool]] = dict
    degraded: Callable[[], Degraded | None] = all_is_well
    nodes: Callable[[], tuple[str, tuple[NodeRow, ...]]] = alone
    answer_chat: Callable[[str, str], Awaitable[None]] | None = None

    def __post_init__(self) -> None:
        if len(self.secret) < SECRET_BYTES_MIN:
            raise ValueError(f"the web secret has {len(self.secret)} bytes; it needs {SECRET_BYTES_MIN}")


PARTS: web.AppKey[WebParts] = web.AppKey("parts", WebParts)
