"""A whole company in one process and in virtual time: the real engine, store and sender, simulated phones, no HTTP.

What a scenario or a simulation does is what happens outside: alerts come in, time passes, people answer. What it sees
is what lies on the phones, and what the store says. Every message wants to be expected: a `World` used as a context
fails at its end when there are messages that nobody expected.

Every channel of the rules is simulated, whoever carries it in earnest, so that no secret is needed. The provider behind
the phones outlives a restart of the daemon, as a real one would.

A `brisk` world tells the same story in a tenth of the time: it leaves out what only guards a real process (threads of
its own, syncing to the disk, looking around every few seconds in case something was missed, audits).
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self

from escalatord.config.load import load
from escalatord.core.incident import Attempt, Via
from escalatord.core.roster import ChannelKind
from escalatord.core.ruleset import Ruleset
from escalatord.core.wallclock import parse_when
from escalatord.engine.auditor import Audit, run_audits
from escalatord.engine.commands import Answer, Answered, Command, HumanEvent, Ingest, Ingested, Quarantine, Result
from escalatord.engine.commands import Receipt as ReceiptCommand
from escalatord.engine.engine import IDLE_SECONDS_MAX, Engine
from escalatord.engine.ledger import Ledger
from escalatord.engine.seeding import Figures
from escalatord.engine.written import Written
from escalatord.errors import BadInputError, DeliveryReason, StoreUnavailableError
from escalatord.ingest import parse
from escalatord.metrics import Metrics
from escalatord.notify.channel import Channel, Outside
from escalatord.notify.sender import IDLE_SECONDS, Sender
from escalatord.notify.simulated import SimMessage
from escalatord.respond.chat_action import ChatAction
from escalatord.respond.keypad import Keypad
from escalatord.respond.link import Links, LinkView
from escalatord.respond.sms_reply import SmsReplies
from escalatord.sim.bodies import Condition, body, conditions
from escalatord.sim.clock import InLoop, InStep, VirtualClock
from escalatord.sim.phones import Listener, Phones, addresses_of
from escalatord.sim.sight import Sight
from escalatord.store.rows import OutboxRow
from escalatord.store.store import Store

EXTERNAL_URL = "https://esc.example.com"
LINK_KEY = b"the key of simulated links, 32 b+"
BALLAST_BYTES = 4096
BRISK_IDLE_SECONDS = 86400.0
TYPED = {"ack": "", "pass_on": "N", "undo": "U", "join": "+"}
NIGHT = "2026-10-24 03:11:14 Europe/Madrid"


class World(Sight):
    """The company. `rules` is a rules directory, `folder` where the database lies, `at` the instant it begins.

    `ruleset` are the same rules where somebody has loaded them already. Use it as a context:
    `async with World(rules, folder) as world`.
    """

    engine: Engine
    figures: Figures
    sender: Sender
    sms: SmsReplies
    keypad: Keypad
    chat: ChatAction
    links: Links

    def __init__(
        self,
        rules: Path,
        folder: Path,
        at: str | datetime = NIGHT,
        *,
        ruleset: Ruleset | None = None,
        brisk: bool = False,
    ) -> None:
        self.rules = rules
        self.ruleset = ruleset or load(rules, need_secrets=False).ruleset
        self.began = at if isinstance(at, datetime) else parse_when(at, "UTC")
        self.clock = VirtualClock(self.began)
        self.phones = Phones(clock=self.clock, on_receipt=self._receipt, heard=self._take_note)
        self.audits: list[Audit] = []
        self.on_message: Listener = lambda _message: None
        self.up = False
        self._folder = folder
        self._brisk = brisk
        self._firing: dict[str, datetime] = {}
        self._tasks: list[asyncio.Task[None]] = []

    # ---------------------------------------------------------------------------------------------------- life

    async def __aenter__(self) -> Self:
        """Start the daemon."""
        await self.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_rest: object) -> None:
        """Stop the daemon; AssertionError when there are messages that nobody expected."""
        await self.stop()
        await self.phones.close()
        if kind is None:
            self.expect_nothing()

    async def start(self) -> None:
        """Build the daemon on the database in the folder and let its loops run."""
        brisk, clock = self._brisk, self.clock
        self.store = self._make_store()
        self.store.open()
        self.engine = Engine(
            self.store,
            self.ruleset,
            clock,
            link_key=LINK_KEY,
            thread=self._make_thread,
            idle_seconds=BRISK_IDLE_SECONDS if brisk else IDLE_SECONDS_MAX,
        )
        self.figures = Figures(Ledger())
        self.metrics = Metrics(self.figures.ledger, version="sim")
        self.metrics.prepare(self.ruleset)
        self.engine.on_written = self._written
        idle_seconds = BRISK_IDLE_SECONDS if brisk else IDLE_SECONDS
        self.sender = Sender(
            self.engine, self._channels(), clock, self.metrics, EXTERNAL_URL, idle_seconds=idle_seconds
        )
        self.sms, self.keypad = SmsReplies(self.engine), Keypad(self.engine)
        self.chat, self.links = ChatAction(self.engine), Links(self.engine, LINK_KEY)
        await self.engine.start()
        await self.figures.seed(self.engine)
        loops = {
            "commits": self.engine.run_commits(),
            "outage": self.engine.outage.run(),
            "deadlines": self.engine.deadlines.run(),
            "sender": self.sender.run(),
            "asking": self.engine.asker.run(),
        }
        if not brisk:
            loops["auditor"] = run_audits(self.engine, clock, self.audits.append)
        self._tasks = [asyncio.create_task(work, name=name) for name, work in loops.items()]
        self.engine.ready = self.up = True
        await self.settle()

    async def stop(self) -> None:
        """End the daemon as a kill would: nothing is drained, what was committed stays."""
        if not self.up:
            return
        self.engine.ready = self.up = False
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.sender.close()
        await self.engine.close()
        self.store.close()

    async def restart(self, *, down_seconds: float = 0.0) -> None:
        """Kill the daemon, let time pass without it, start it again on the same database."""
        await self.stop()
        await self.clock.advance(down_seconds)
        await self.start()

    async def reload(self, rules: Path) -> None:
        """Put other rules in force, as SIGHUP does; ConfigError, and the old ones stay, when they cannot be used."""
        self.ruleset = load(rules, need_secrets=False).ruleset
        await self.engine.reload(self.ruleset)
        self.metrics.prepare(self.ruleset)
        self.sender.use(self.ruleset, self._channels())
        await self.settle()

    def _make_store(self) -> Store:
        return Store(f"sqlite:///{self._folder / 'world.db'}", ballast_bytes=BALLAST_BYTES, durable=not self._brisk)

    def _make_thread(self, name: str) -> Executor:
        return InLoop(name, self.clock.stir) if self._brisk else InStep(name, self.clock.stir)

    def _channels(self) -> dict[str, Channel]:
        outside = Outside(external_url=EXTERNAL_URL, clock=self.clock, callback_path=lambda *_parts: "")
        return {name: self.phones.build(spec, outside) for name, spec in self.ruleset.channels.items()}

    # ---------------------------------------------------------------------------------------------------- time

    async def settle(self) -> None:
        """Let everything happen that can happen now; raise what ended a loop of the daemon."""
        await self.clock.settle()
        self._look_after_loops()

    async def pass_time(self, *, seconds: float = 0.0, minutes: float = 0.0, hours: float = 0.0) -> None:
        """Let virtual time go by."""
        await self.clock.advance(seconds + 60 * minutes + 3600 * hours)
        self._look_after_loops()

    @property
    def elapsed(self) -> float:
        """Return how many virtual seconds the world is old."""
        return (self.clock.now() - self.began).total_seconds()

    def _look_after_loops(self) -> None:
        for task in self._tasks if self.up else ():
            if task.done():
                task.result()
                raise AssertionError(f"the loop {task.get_name()} has ended")

    # ------------------------------------------------------------------------------------------------- coming in

    async def fire(
        self,
        example: str,
        *,
        annotations: Mapping[str, str] | None = None,
        group: str = "",
        seconds_ago: float = 0.0,
        **labels: str,
    ) -> Ingested:
        """Let a condition fire: an example of the rules by name, else an alert of that name, with these labels on it.

        One that fires already keeps its start; `seconds_ago` is how long a new one has been firing.
        """
        told = conditions(self.rules, example, labels, annotations or {})
        for condition in told:
            start = self.clock.now() - timedelta(seconds=seconds_ago)
            self._firing.setdefault(condition.fingerprint, start)
        return await self._send(told, "firing", group)

    async def resolve(self, example: str, *, group: str = "", **labels: str) -> Ingested:
        """Let a condition that was fired end."""
        told = conditions(self.rules, example, labels, {})
        done = await self._send(told, "resolved", group)
        for condition in told:
            del self._firing[condition.fingerprint]
        return done

    async def post(self, source: str, content: bytes, content_type: str = "application/json") -> Ingested | None:
        """Hand a webhook body in; None when nobody can use it and it was kept as a dead letter."""
        try:
            parsed = parse(self.engine.ruleset.sources[source], content, content_type, self.clock.now())
        except BadInputError as error:
            letter = Quarantine(source=source, body=content, code=error.code, at_pointer=error.at, say=error.say)
            await self.submit(letter)
            return None
        done = await self.submit(Ingest(source=source, alerts=parsed.alerts))
        for bad in parsed.rejected[:1]:
            await self.submit(Quarantine(source=source, body=content, code=bad.code, at_pointer=bad.at, say=bad.say))
        if not isinstance(done, Ingested):
            raise TypeError(type(done))
        return done

    async def say(self, event: HumanEvent, incident: int = 1) -> Answered:
        """Let a human's word happen to an incident, as the web, the API and the command line do."""
        done = await self.submit(Answer(incident=incident, event=event))
        if not isinstance(done, Answered):
            raise TypeError(type(done))
        return done

    async def reply(self, person: str, text: str) -> str | None:
        """Text us from the person's phone; return what we text back, None for nothing."""
        number = addresses_of(self.ruleset, ChannelKind.SMS)[person]
        told = await self.sms.receive(number, text)
        await self.settle()
        return told

    async def press(self, person: str, key: str) -> str:
        """Press a key in the call that rings at the person's; return what is said then."""
        return await self.press_in(self._latest(person, "call", lambda message: message.ringing), key)

    async def press_in(self, call: SimMessage, key: str) -> str:
        """Press a key in a call; return what is said then."""
        spoken = await self.keypad.key(self._row(call), key)
        if spoken.hang_up:
            await self.phones.press(call.reference)
        await self.settle()
        return " ".join(spoken.sentences)

    async def hang_up(self, person: str, reason: DeliveryReason = DeliveryReason.NO_KEY) -> None:
        """End the call that rings at the person's without a key; `reason` is what the provider says of it."""
        call = self._latest(person, "call", lambda message: message.ringing)
        await self.phones.hang_up(call.reference, reason)
        await self.settle()

    async def click(self, person: str, button: str = "ack") -> str:
        """Click a button of the person's latest chat message; return what they are told."""
        return await self.click_on(self._latest(person, "chat", lambda m: m.channel == ChannelKind.CHAT), button)

    async def click_on(self, message: SimMessage, button: str) -> str:
        """Click a button of a chat message as the one it is for; return what they are told."""
        account = addresses_of(self.ruleset, ChannelKind.CHAT).get(message.person)
        if account is None:  # a simulated room knows no accounts; what is typed there counts, as on /sim
            text = await self.sms.hear(message.person, message.code + TYPED[button], via=Via.CHAT) or ""
        else:
            text = (await self.chat.click(account, button, f"{message.reference}|{self._row(message).epoch}")).text
        await self.settle()
        return text

    async def look(self, person: str) -> LinkView:
        """Open the link of the person's latest message; return the page."""
        return await self.links.look(_token(self._latest(person, "link", lambda message: bool(message.link))))

    async def follow(self, person: str, action: str = "ack", *, number: int | None = None) -> LinkView:
        """Open the link of the person's latest message and press a button there; return the page then.

        `number` is the one chosen where numbers are matched: the one that the message shows unless given.
        """
        message = self._latest(person, "link", lambda message: bool(message.link))
        return await self.follow_from(message, action, message.number if number is None else number)

    async def follow_from(self, message: SimMessage, action: str, number: int) -> LinkView:
        """Open the link of a message and press a button there; return the page then."""
        seen = await self.links.look(_token(message))
        done = await self.links.act(_token(message), action, seen.nonce, number)
        await self.settle()
        return done

    async def submit(self, command: Command) -> Result:
        """Give the engine a command, and let everything happen that follows from it now."""
        asked = asyncio.ensure_future(self.engine.submit(command))
        # a loop that has ended answers nobody: what ended it is raised here, where a story would wait for ever
        await asyncio.wait((asked, *self._tasks), return_when=asyncio.FIRST_COMPLETED)
        self._look_after_loops()
        result = await asked
        await self.settle()
        return result

    async def _send(self, told: Sequence[Condition], status: str, group: str) -> Ingested:
        done = await self.post("alertmanager", body(told, status, self._firing, self.clock.now(), group))
        if done is None:
            raise AssertionError("a body made here could not be read")
        return done

    # ------------------------------------------------------------------------------------------------- private

    async def _receipt(self, reference: str, status: Attempt, reason: str, provider_id: str) -> None:
        if not self.up:
            raise StoreUnavailableError("the daemon is down")
        self.clock.stir()
        await self.engine.submit(
            ReceiptCommand(reference=reference, status=status, reason=reason, provider_id=provider_id)
        )

    def _latest(self, person: str, what: str, fits: Callable[[SimMessage], bool]) -> SimMessage:
        found = [message for message in self.phones.messages(person) if fits(message)]
        if not found:
            raise AssertionError(f"no {what} at {person}")
        return found[-1]

    def _row(self, message: SimMessage) -> OutboxRow:
        row = self.engine.outage.footing.read(lambda tx: tx.outbox_get(message.reference))
        if row is None:
            raise AssertionError(f"nothing is known of {message.reference}")
        return row

    def _take_note(self, message: SimMessage) -> None:
        self.clock.stir()
        self.on_message(message)

    def _written(self, written: Written) -> None:
        self.figures.written(written)
        self.metrics.committed(written)


def _token(message: SimMessage) -> str:
    return message.link.rpartition("/")[2]
