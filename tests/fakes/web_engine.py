"""The web floor over a real engine and a real store in a temporary file, with a clock that stands still.

`Night` is one such daemon without sender: time is moved by hand, failures are switched on, every command is kept.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient, TestServer

from escalatord.config.load import load
from escalatord.core.incident import Attempt, NoticeKind
from escalatord.core.ruleset import Ruleset
from escalatord.engine.commands import Changed, Claim, Claimed, Command
from escalatord.engine.engine import Engine, View
from escalatord.engine.handlers import Due
from escalatord.engine.known import KnownBodies
from escalatord.errors import StoreUnavailableError
from escalatord.notify.channel import Message
from escalatord.notify.simulated import Switchboard
from escalatord.respond.chat_action import ChatAction
from escalatord.respond.keypad import Keypad
from escalatord.respond.link import Links
from escalatord.respond.sms_reply import SmsReplies
from escalatord.store.rows import OutboxRow, TokenRow
from escalatord.store.store import Store
from escalatord.store.tx import Tx
from escalatord.web.app import RUNNER_OPTIONS, build_app
from escalatord.web.auth import token_digest
from escalatord.web.parts import Example, WebParts

T = TypeVar("T")
RULES = Path(__file__).parents[2] / "rules"
START = datetime(2026, 10, 24, 1, 11, 14, tzinfo=UTC)
SECRET = b"s" * 32
LINK_KEY = b"k" * 32
EXTERNAL_URL = "https://esc.example.com"
TOKENS = {"viewer": "token-of-a-viewer", "responder": "token-of-a-responder", "admin": "token-of-an-admin"}


class HandClock:
    """A clock that moves when it is told to. Sleepers wake when its time has come, or never."""

    def __init__(self, at: datetime = START) -> None:
        self.at = at
        self.ticks = 0.0
        self._moved = asyncio.Event()

    def now(self) -> datetime:
        """Return the present instant."""
        return self.at

    def monotonic(self) -> float:
        """Return seconds since the clock was made."""
        return self.ticks

    async def sleep(self, seconds: float) -> None:
        """Wait until the clock was moved on by `seconds`."""
        until = self.ticks + seconds
        while self.ticks < until:
            await self._moved.wait()

    def move(self, **by: float) -> None:
        """Move on by a timedelta."""
        step = timedelta(**by)
        self.at += step
        self.ticks += step.total_seconds()
        self._moved.set()
        self._moved = asyncio.Event()


@dataclass
class BreakableEngine:
    """A real engine that can be told to fail, and that keeps what it was asked to commit."""

    engine: Engine
    error: Exception | None = None
    commands: list[Command] = field(default_factory=list)
    is_healthy: bool = True
    rules: Ruleset | None = None
    untaken: list[tuple[str, str]] = field(default_factory=list)

    def on_untaken(self, via: str, result: str) -> None:
        """Count an ack that was not taken."""
        self.untaken.append((str(via), str(result)))

    @property
    def clock(self) -> HandClock:
        """Return the clock."""
        return self.engine.clock  # type: ignore[return-value] # always made with one

    @property
    def ruleset(self) -> Ruleset:
        """Return the rules, or those a test put in their place."""
        return self.rules or self.engine.ruleset

    @property
    def ready(self) -> bool:
        """Return whether the engine is ready."""
        return self.engine.ready

    @property
    def known(self) -> KnownBodies:
        """Return the bodies whose repeats need no look."""
        return self.engine.known

    async def submit(self, command: Command) -> object:
        """Commit, or raise as told."""
        self.commands.append(command)
        if self.error is not None:
            raise self.error
        return await self.engine.submit(command)

    async def read(self, work: Callable[[Tx], T]) -> T:
        """Read, or raise as told when the store is away."""
        if isinstance(self.error, StoreUnavailableError):
            raise self.error
        return await self.engine.read(work)

    async def view(self, number: int) -> View | None:
        """Return an incident and its world."""
        return await self.engine.view(number)

    async def explain(self, source: str, alerts: Sequence[object]) -> Sequence[object]:
        """Return verdicts."""
        return await self.engine.explain(source, alerts)  # type: ignore[arg-type] # alerts, from the caller

    async def held_by(self, keys: Sequence[str]) -> Mapping[str, int]:
        """Return how many alerts each mute holds back."""
        return await self.engine.held_by(keys)

    def watch(self) -> AbstractContextManager[asyncio.Queue[Changed]]:
        """Hear of commits."""
        return self.engine.watch()

    def healthy(self) -> bool:
        """Return what was told."""
        return self.is_healthy


@dataclass
class Night:
    """Everything a test touches. `client` is the local operator unless it says otherwise."""

    client: TestClient
    engine: BreakableEngine
    clock: HandClock
    store: Store
    board: Switchboard
    parts: WebParts
    ingested: list[tuple[str, str]]
    observed: list[tuple[str, str, int]]

    def bearer(self, role: str) -> dict[str, str]:
        """Return the header of somebody with that role."""
        return {"Authorization": f"Bearer {TOKENS[role]}"}

    async def fire(
        self, name: str = "disk", *, headers: Mapping[str, str] | None = None, **labels: str
    ) -> ClientResponse:
        """Post one firing alert to the built-in source."""
        return await self.client.post("/in/alertmanager", json=webhook(alert(name, **labels)), headers=headers)

    async def incident(self, name: str = "disk", **labels: str) -> int:
        """Fire an alert and return the number of its incident."""
        answer = await self.fire(name, **labels)
        return int((await answer.json())["accepted"][0]["incident"])

    def write(self, work: Callable[[Tx], T]) -> T:
        """Write to the store beside the engine."""
        return self.store.write(work)

    def give_tokens(self) -> None:
        """Make one token per role."""
        rows = [
            TokenRow(name=f"a-{role}", role=role, token_hash=token_digest(token), created_at=START)
            for role, token in TOKENS.items()
        ]
        self.write(lambda tx: [tx.add_token(row) for row in rows])

    async def due(self) -> None:
        """Let every deadline happen that has come."""
        await self.engine.engine._enqueue(Due(limit=1000))

    async def claim(self, number: int) -> list[Claimed]:
        """Claim every page of an incident that is due, as the sender would: codes and links are made."""
        rows = await self.engine.read(lambda tx: tx.outbox_of(number))
        room = {row.lane: 100 for row in rows}
        claimed = await self.engine.submit(Claim(room=room, lease_seconds=60.0))
        return [each for each in claimed if each.incident.number == number]  # type: ignore[union-attr] # of a Claim

    async def send(self, number: int) -> list[OutboxRow]:
        """Hand every page of an incident that waits to the simulated phones, as the sender would."""
        rows = await self.engine.read(lambda tx: tx.outbox_of(number))
        for row in rows:
            spec = self.engine.ruleset.channels[row.channel]
            await self.board.take(spec, message_of(row))
        return rows


def message_of(row: OutboxRow) -> Message:
    """Return a message for a row, with words enough for a test."""
    return Message(
        reference=row.reference,
        kind=NoticeKind(row.kind),
        incident=row.incident,
        incident_label=f"INC-{row.incident}",
        severity="critical",  # type: ignore[arg-type] # a word is enough here
        person=row.person,
        person_name=row.person,
        address="",
        title=f"title of {row.reference}",
        text=f"text of {row.reference}",
        speech=("Severity critical.", "Press 4 if you have it."),
        code="K7",
    )


def alert(name: str, **labels: str) -> dict[str, object]:
    """Return one firing alert as Alertmanager writes it."""
    status = labels.pop("status", "firing")
    starts_at = labels.pop("starts_at", START.isoformat())
    return {
        "status": status,
        "labels": {"alertname": name, "severity": "critical", **labels},
        "annotations": {"summary": f"{name} is in trouble"},
        "startsAt": starts_at,
        "endsAt": "0001-01-01T00:00:00Z" if status == "firing" else START.isoformat(),
        "generatorURL": "https://prom.example.com/graph",
    }


def webhook(*alerts: object) -> dict[str, object]:
    """Return a webhook body of version 4."""
    return {"version": "4", "groupKey": "{}", "status": "firing", "receiver": "escalatord", "alerts": list(alerts)}


def make_ruleset() -> Ruleset:
    """Return the shipped rules with a second source that has two secrets."""
    ruleset = load(RULES).ruleset
    guarded = replace(
        ruleset.sources["alertmanager"],
        name="guarded",
        secret_hashes=(token_digest("old-secret"), token_digest("new-secret")),
    )
    return replace(ruleset, sources={**ruleset.sources, "guarded": guarded})


@asynccontextmanager
async def night(folder: Path, **changes: object) -> AsyncIterator[Night]:
    """Run a daemon without sender; `changes` replace fields of its `WebParts`."""
    clock = HandClock()
    store = Store(f"sqlite:///{folder / 'night.db'}")
    store.open()
    real = Engine(store, make_ruleset(), clock, link_key=LINK_KEY)
    engine = BreakableEngine(real)
    await real.start()
    real.ready = True
    loop = asyncio.create_task(real.run_commits(), name="commits")

    async def on_receipt(reference: str, status: Attempt, reason: str, provider_id: str) -> None:
        del reference, status, reason, provider_id

    board = Switchboard(clock=clock, on_receipt=on_receipt)
    ingested: list[tuple[str, str]] = []
    observed: list[tuple[str, str, int]] = []
    given: dict[str, object] = {
        "engine": engine,
        "secret": SECRET,
        "external_url": EXTERNAL_URL,
        "sms": SmsReplies(engine),
        "keypad": Keypad(engine),
        "links": Links(engine, LINK_KEY),
        "chat": ChatAction(engine),
        "switchboard": board,
        "examples": {"disk": Example(name="disk", source="alertmanager", say="A full disk", body=lambda _: example())},
        "observe": lambda route, method, status, _: observed.append((route, method, status)),
        "observe_ingest": lambda source, result, _: ingested.append((source, result)),
        **changes,
    }
    parts = WebParts(**given)  # type: ignore[arg-type] # as the dataclass says
    client = TestClient(TestServer(build_app(parts)))
    try:
        await client.server.start_server(**RUNNER_OPTIONS)
        await client.start_server()
        yield Night(client, engine, clock, store, board, parts, ingested, observed)
    finally:
        await client.close()
        await board.close()
        await real.close()
        loop.cancel()
        await asyncio.gather(loop, return_exceptions=True)
        store.close()


def example() -> bytes:
    """Return an example body."""
    return b'{"version":"4","alerts":[{"status":"firing","labels":{"alertname":"disk","severity":"critical"}}]}'
