"""Simulated phones: texts, calls, chat and mail that reach nobody but the page `/sim` and the tests.

One `Switchboard` stands behind all simulated channels, as a provider would: it takes a message, says later that it was
delivered, lets calls ring until somebody presses a key, can be told to fail, and remembers. With a `path` what it was
told is appended to a file of JSON lines, each `{"event": "sent" | "settled" | "bubble", …}`, so that a process that was
killed finds on restart what had been sent (`lookup`), and a fault test can count. Nothing waits but by the clock given.
"""

import asyncio
import json
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TextIO, TypeAlias, TypeVar

from escalatord.clock import Clock
from escalatord.core.incident import Attempt
from escalatord.core.roster import ChannelKind, ChannelSpec
from escalatord.errors import DeliveryError, DeliveryReason, StoreUnavailableError
from escalatord.notify.channel import UNKNOWN, Capabilities, Channel, Message, Outside, Receipt, Unknown
from escalatord.notify.wire import legible

PERSON_MESSAGES_MAX = 500
PERSON_BUBBLES_MAX = 500
PERSONS_MAX = 5000
REFERENCES_MAX = 100_000
FILE_LINES_MAX = 200_000
TEXT_CHARACTERS_MAX = 20_000
DELIVERY_SECONDS = 1.0
UNDELIVERED_SECONDS = 2.0
VOICEMAIL_SECONDS = 8.0
RING_SECONDS = 30.0
HANG_SECONDS = 3600.0
# As a provider would: a receipt that we could not take is brought again.
RECEIPT_TRIES_MAX = 12
RECEIPT_RETRY_SECONDS = 5.0
ROOM = "room"

T = TypeVar("T")
OnReceipt: TypeAlias = Callable[[str, Attempt, str, str], Awaitable[None]]


class Failure(StrEnum):
    """How a simulated channel can be told to fail."""

    REFUSE = "refuse"
    ERROR = "error"
    HANG = "hang"
    UNDELIVERED = "undelivered"
    BUSY = "busy"
    VOICEMAIL = "voicemail"
    NO_RECEIPT = "no_receipt"


# How long after the hand-over a message that was taken is known to have failed, and the reason.
LATE_FAILURES: Mapping[Failure, tuple[float, DeliveryReason]] = {
    Failure.UNDELIVERED: (UNDELIVERED_SECONDS, DeliveryReason.UNDELIVERED),
    Failure.BUSY: (DELIVERY_SECONDS, DeliveryReason.BUSY),
    Failure.VOICEMAIL: (VOICEMAIL_SECONDS, DeliveryReason.NO_KEY),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SimMessage:
    """A message as it lies on somebody's phone. `channel` is the kind (sms, call, chat, mail), `name` the channel's."""

    at: datetime
    person: str
    channel: str
    name: str
    kind: str
    incident: int
    label: str
    title: str
    text: str
    link: str
    code: str
    number: int
    reference: str
    provider_id: str
    ringing: bool = False
    status: Attempt = Attempt.ACCEPTED
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bubble:
    """A line of the talk beside the messages: `mine` is what the human said, else it is our answer."""

    at: datetime
    person: str
    channel: str
    text: str
    mine: bool


class Switchboard:
    """The provider behind all simulated channels."""

    def __init__(self, *, clock: Clock, on_receipt: OnReceipt, path: Path | None = None) -> None:
        self.revision = 0
        self._clock = clock
        self._on_receipt = on_receipt
        self._path = path
        self._file: TextIO | None = None
        self._lines = 0
        self._sent = 0
        self._messages: dict[str, deque[SimMessage]] = {}
        self._bubbles: dict[str, deque[Bubble]] = {}
        self._by_reference: dict[str, SimMessage] = {}
        self._failures: dict[str, Failure] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        if path is not None:
            self._load(path)

    # What the page and the tests read and do.

    def messages(self, person: str) -> list[SimMessage]:
        """Return what lies on the person's phone, oldest first, at most `PERSON_MESSAGES_MAX`; "room" is the room."""
        now = self._clock.now()
        return [_aged(self._by_reference.get(each.reference, each), now) for each in self._messages.get(person, ())]

    def replies(self, person: str) -> list[Bubble]:
        """Return the talk beside the messages, oldest first."""
        return list(self._bubbles.get(person, ()))

    def persons(self) -> list[str]:
        """Return everybody who ever got something."""
        return sorted(self._messages)

    def find(self, reference: str) -> SimMessage | None:
        """Return the message sent last under `reference`."""
        message = self._by_reference.get(reference)
        return _aged(message, self._clock.now()) if message is not None else None

    def say(self, person: str, channel: str, text: str, *, mine: bool) -> None:
        """Note what the human (`mine`) or we said in answer."""
        text = legible(text)[:TEXT_CHARACTERS_MAX]
        bubble = Bubble(at=self._clock.now(), person=person, channel=channel, text=text, mine=mine)
        _shelf(self._bubbles, person, PERSON_BUBBLES_MAX).append(bubble)
        self._note("bubble", asdict(bubble))

    def pick_up(self, reference: str) -> None:
        """Note that a call was taken: it no longer rings out, and waits for a key or its end."""
        if (ringing := self._tasks.pop(reference, None)) is not None:
            ringing.cancel()

    async def press(self, reference: str) -> None:
        """Note that a key was pressed in a call: it was reached, and rings no more."""
        await self._settle(reference, Attempt.DELIVERED, "")

    async def hang_up(self, reference: str, reason: DeliveryReason = DeliveryReason.NO_KEY) -> None:
        """Note that a call was declined, or taken and ended without a key: nobody was reached."""
        await self._settle(reference, Attempt.FAILED_PERMANENT, reason)

    def fail(self, channel: str, mode: Failure | None) -> None:
        """Let the channel called `channel` ("" = all of them) fail from now on; None mends it."""
        if mode is None:
            self._failures.pop(channel, None)
        else:
            self._failures[channel] = mode

    # What the channels do.

    def build(self, spec: ChannelSpec, outside: Outside) -> Channel:
        """Return a simulated channel of any kind, standing on this switchboard."""
        del outside
        return Simulated(spec, self)

    async def take(self, spec: ChannelSpec, message: Message) -> Receipt:
        """Take a message, or fail as told."""
        failure = self._failures.get(spec.name, self._failures.get(""))
        if failure is Failure.HANG:
            await self._clock.sleep(HANG_SECONDS)
        if failure is Failure.REFUSE:
            raise DeliveryError(DeliveryReason.CLIENT_ERROR, f"{spec.name} was told to refuse", permanent=True)
        if failure in {Failure.ERROR, Failure.HANG}:
            raise DeliveryError(DeliveryReason.SERVER_ERROR, f"{spec.name} was told to fail", permanent=False)
        self._sent += 1
        taken = _taken(spec, message, self._clock.now(), f"SIM{self._sent:08d}")
        if taken.channel == ChannelKind.CALL and failure is None:
            taken = replace(taken, ringing=True)
        self._keep(taken)
        self._note("sent", asdict(taken))
        if failure is not None and failure in LATE_FAILURES:
            wait, reason = LATE_FAILURES[failure]
            self._later(taken.reference, wait, Attempt.FAILED_PERMANENT, reason)
        elif taken.ringing:
            self._later(taken.reference, RING_SECONDS, Attempt.FAILED_PERMANENT, DeliveryReason.NO_ANSWER)
        elif spec.receipts and failure is not Failure.NO_RECEIPT:
            self._later(taken.reference, DELIVERY_SECONDS, Attempt.DELIVERED, "")
        return Receipt(status=Attempt.ACCEPTED, provider_id=taken.provider_id)

    def known(self, reference: str) -> Receipt | Unknown:
        """Return what became of a reference."""
        message = self.find(reference)
        if message is None:
            return UNKNOWN
        return Receipt(status=message.status, provider_id=message.provider_id, reason=message.reason)

    async def close(self) -> None:
        """Stop waiting for anything, and close the file."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._file is not None:
            self._file.close()
            self._file = None

    def _later(self, reference: str, seconds: float, status: Attempt, reason: str) -> None:
        if (earlier := self._tasks.pop(reference, None)) is not None:
            earlier.cancel()
        name = f"simulated {status} of {reference}"
        task = asyncio.create_task(self._settle_after(reference, seconds, status, reason), name=name)
        self._tasks[reference] = task
        task.add_done_callback(lambda done: self._forget(reference, done))

    def _forget(self, reference: str, task: asyncio.Task[None]) -> None:
        if self._tasks.get(reference) is task:
            del self._tasks[reference]

    async def _settle_after(self, reference: str, seconds: float, status: Attempt, reason: str) -> None:
        await self._clock.sleep(seconds)
        # From here on this is no longer a wait that a key press may cancel.
        self._tasks.pop(reference, None)
        await self._settle(reference, status, reason)

    async def _settle(self, reference: str, status: Attempt, reason: str) -> None:
        message = self._by_reference.get(reference)
        if message is None or message.status is not Attempt.ACCEPTED:
            return
        if (waiting := self._tasks.pop(reference, None)) is not None:
            waiting.cancel()
        settled = replace(message, ringing=False, status=status, reason=str(reason))
        self._by_reference[reference] = settled
        self._note("settled", {"reference": reference, "status": status, "reason": str(reason)})
        for _ in range(RECEIPT_TRIES_MAX):
            try:
                await self._on_receipt(reference, status, str(reason), settled.provider_id)
            except StoreUnavailableError:
                await self._clock.sleep(RECEIPT_RETRY_SECONDS)
            else:
                return

    def _keep(self, message: SimMessage) -> None:
        _shelf(self._messages, message.person, PERSON_MESSAGES_MAX).append(message)
        self._by_reference.pop(message.reference, None)
        self._by_reference[message.reference] = message
        if len(self._by_reference) > REFERENCES_MAX:
            del self._by_reference[next(iter(self._by_reference))]

    # The file.

    def _note(self, event: str, body: Mapping[str, object]) -> None:
        self.revision += 1
        if self._path is None:
            return
        if self._file is None or self._lines >= FILE_LINES_MAX:
            self._rewrite(self._path)
        self._write(event, body)

    def _write(self, event: str, body: Mapping[str, object]) -> None:
        if self._file is not None:
            self._file.write(json.dumps({"event": event, **body}, default=datetime.isoformat) + "\n")
            # Handed to the kernel: a killed process loses nothing. (A power cut may; nobody's phone is real here.)
            self._file.flush()
            self._lines += 1

    def _rewrite(self, path: Path) -> None:
        """Open the file; one that grew too long starts again with the latest half of what is remembered."""
        if self._file is not None:
            self._file.close()
        if self._lines < FILE_LINES_MAX:
            self._file = path.open("a", encoding="utf-8")
            return
        fresh = path.with_suffix(path.suffix + ".new")
        self._file, self._lines = fresh.open("w", encoding="utf-8"), 0
        for message in list(self._by_reference.values())[-FILE_LINES_MAX // 2 :]:
            self._write("sent", asdict(message))
        fresh.replace(path)

    def _load(self, path: Path) -> None:
        if not path.exists():
            return
        with path.open(encoding="utf-8") as file:
            for line in file:
                self._lines += 1
                try:
                    self._recall(json.loads(line))
                except (ValueError, KeyError, TypeError):
                    # The last line of a killed process can be torn; it says nothing then.
                    continue
        if self._lines and not path.read_bytes().endswith(b"\n"):
            with path.open("a", encoding="utf-8") as file:
                file.write("\n")

    def _recall(self, body: dict[str, object]) -> None:
        match body.pop("event"):
            case "sent":
                self._sent += 1
                at = datetime.fromisoformat(str(body.pop("at")))
                message = SimMessage(**{**body, "at": at, "status": Attempt(str(body["status"]))})  # type: ignore[arg-type] # our own line
                self._keep(message)
            case "settled":
                reference = str(body["reference"])
                status, reason = Attempt(str(body["status"])), str(body["reason"])
                message = replace(self._by_reference[reference], ringing=False, status=status, reason=reason)
                self._by_reference[reference] = message
            case "bubble":
                bubble = Bubble(**{**body, "at": datetime.fromisoformat(str(body["at"]))})  # type: ignore[arg-type] # as above
                _shelf(self._bubbles, bubble.person, PERSON_BUBBLES_MAX).append(bubble)
            case _:
                return


class Simulated:
    """One simulated channel."""

    def __init__(self, spec: ChannelSpec, board: Switchboard) -> None:
        self.capabilities = Capabilities(
            kind=spec.kind, receipts=spec.receipts, two_way=True, lookup=True, max_length=TEXT_CHARACTERS_MAX
        )
        self._spec = spec
        self._board = board

    async def send(self, message: Message) -> Receipt:
        """Put the message on the person's phone; ACCEPTED."""
        return await self._board.take(self._spec, message)

    async def lookup(self, message: Message) -> Receipt | Unknown:
        """Look the reference up."""
        return self._board.known(message.reference)

    async def close(self) -> None:
        """Let go of nothing: the switchboard outlives a reload and is closed by whoever made it."""


def build(spec: ChannelSpec, outside: Outside, board: Switchboard) -> Channel:
    """Return a simulated channel of any kind; the composition root binds the one `board`."""
    return board.build(spec, outside)


def _taken(spec: ChannelSpec, message: Message, at: datetime, provider_id: str) -> SimMessage:
    text = " ".join(message.speech) if spec.kind is ChannelKind.CALL and message.speech else message.text
    return SimMessage(
        at=at,
        person=message.person or ROOM,
        channel=spec.kind.value,
        name=spec.name,
        kind=message.kind.value,
        incident=message.incident,
        label=message.incident_label,
        title=legible(message.title)[:TEXT_CHARACTERS_MAX],
        text=legible(text)[:TEXT_CHARACTERS_MAX],
        link=message.link,
        code=message.code,
        number=message.number,
        reference=message.reference,
        provider_id=provider_id,
    )


def _aged(message: SimMessage, now: datetime) -> SimMessage:
    """Return the message as it is by now: a call that outlived its process rang out unheard."""
    if not message.ringing or now < message.at + timedelta(seconds=RING_SECONDS):
        return message
    reason = DeliveryReason.NO_ANSWER.value
    return replace(message, ringing=False, status=Attempt.FAILED_PERMANENT, reason=reason)


def _shelf(shelves: dict[str, deque[T]], person: str, most: int) -> deque[T]:
    if person not in shelves and len(shelves) >= PERSONS_MAX:
        del shelves[next(iter(shelves))]
    return shelves.setdefault(person, deque(maxlen=most))
