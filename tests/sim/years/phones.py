"""Providers that err, hang, forget, lie and repeat themselves, by the weather of their channel."""

from collections import Counter, defaultdict
from collections.abc import Callable
from enum import StrEnum
from random import Random
from typing import TypeAlias, assert_never

from escalatord.clock import Clock
from escalatord.core.incident import Attempt, NoticeKind
from escalatord.core.roster import ChannelSpec
from escalatord.errors import DeliveryError, DeliveryReason
from escalatord.notify.channel import Channel, Message, Outside, Receipt, Unknown
from escalatord.notify.simulated import Failure, OnReceipt, SimMessage, Simulated, Switchboard
from escalatord.sim.phones import Phones
from tests.sim.years.disk import Disk

NEVER_SECONDS = 7200.0
SLOW_SECONDS = 9.0


class Whim(StrEnum):
    """What a provider does with one message."""

    TAKE = "take"
    SLOW = "slow"
    HANG = "hang"
    REFUSE = "refuse"
    FAIL = "fail"
    BREAK_AFTER = "break_after"
    HANG_AFTER = "hang_after"
    VANISH = "vanish"
    LIE_DELIVERED = "lie_delivered"
    LIE_FAILED = "lie_failed"
    UNDELIVERED = "undelivered"
    NO_RECEIPT = "no_receipt"
    BUSY = "busy"


FINE = {Whim.TAKE: 60, Whim.SLOW: 2, Whim.UNDELIVERED: 1, Whim.NO_RECEIPT: 1, Whim.BREAK_AFTER: 1, Whim.BUSY: 1}
WEATHERS: dict[str, dict[Whim, int]] = {
    "steady": {Whim.TAKE: 1},
    "fine": FINE,
    "hanging": {Whim.HANG: 1},
    "refusing": {Whim.REFUSE: 1},
    "failing": {Whim.FAIL: 1},
    "slow": {Whim.SLOW: 4, Whim.HANG_AFTER: 1},
    "breaking": {Whim.BREAK_AFTER: 2, Whim.HANG_AFTER: 2, Whim.FAIL: 1, Whim.TAKE: 1},
    "lying": {Whim.LIE_DELIVERED: 2, Whim.LIE_FAILED: 2, Whim.VANISH: 1, Whim.TAKE: 1},
    "mixed": dict.fromkeys(Whim, 1),
}
LOOKUPS = ("answers", "hangs", "forgets", "fails")
LATE: dict[Whim, Failure] = {
    Whim.VANISH: Failure.NO_RECEIPT,
    Whim.NO_RECEIPT: Failure.NO_RECEIPT,
    Whim.LIE_FAILED: Failure.UNDELIVERED,
    Whim.UNDELIVERED: Failure.UNDELIVERED,
    Whim.BUSY: Failure.BUSY,
}
Told: TypeAlias = tuple[str, Attempt, str, str]
"""A receipt: reference, status, reason, provider id."""
UNHEARD = frozenset({Whim.VANISH, Whim.LIE_DELIVERED, Whim.UNDELIVERED, Whim.BUSY})


class MoodyPhones(Phones):
    """The provider behind every phone; it outlives every death of the daemon.

    `created` counts by reference what was made, `excused` are references that we could not know of: the provider did
    not say, or did not know, what it had made. `on_send` hears of a message before anything is made of it.
    """

    def __init__(self, clock: Clock, disk: Disk, chance: Random, on_receipt: OnReceipt) -> None:
        super().__init__(clock=clock, on_receipt=on_receipt, heard=self._ring)
        self.hear: Callable[[SimMessage], None] = lambda _message: None
        self.on_send: Callable[[ChannelSpec, Message], None] = lambda _spec, _message: None
        self.say: Callable[[str], None] = lambda _text: None
        self.created: Counter[str] = Counter()
        self.excused: set[str] = set()
        self.weather: dict[str, str] = {}
        self.lookups: dict[str, str] = {}
        self.whims: dict[int, Whim] = {}
        """What becomes of the next page of an incident, whatever the weather."""
        self.made_at: defaultdict[str, list[float]] = defaultdict(list)
        self.first_created: dict[int, float] = {}
        self._disk = disk
        self._chance = chance

    def build(self, spec: ChannelSpec, outside: Outside) -> Channel:
        """Return a channel of any kind, standing on these phones."""
        del outside
        return MoodyChannel(spec, self)

    def _ring(self, message: SimMessage) -> None:
        self.hear(message)

    def clear_up(self) -> None:
        """Let every provider be well."""
        self.weather.clear()
        self.lookups.clear()

    async def take(self, spec: ChannelSpec, message: Message) -> Receipt:
        """Take a message, or do with it what the weather says."""
        self._disk.point("send")
        self.on_send(spec, message)
        whim = self.whims.pop(message.incident, None) if message.kind == NoticeKind.PAGE else None
        if whim is None:
            weights = WEATHERS[self.weather.get(spec.name, "fine")]
            whim = self._chance.choices(list(weights), list(weights.values()))[0]
        receipt = await self._do(whim, spec, message)
        self._disk.point("sent")
        return receipt

    async def ask(self, spec: ChannelSpec, message: Message) -> Receipt | Unknown:
        """Answer what became of a message, or not."""
        self._disk.point("lookup")
        mood = self.lookups.get(spec.name, "answers")
        if mood != "answers":
            self.excused.add(message.reference)
        match mood:
            case "hangs":
                await self._clock.sleep(NEVER_SECONDS)
            case "fails":
                raise DeliveryError(DeliveryReason.SERVER_ERROR, "the list cannot be read", permanent=False)
            case "forgets":
                return self.known("")
        await self._clock.sleep(self._chance.choice((0.0, 0.05, 1.0)))
        self._disk.point("looked")
        return self.known(message.reference)

    async def _do(self, whim: Whim, spec: ChannelSpec, message: Message) -> Receipt:
        match whim:
            case Whim.TAKE | Whim.LIE_DELIVERED | Whim.LIE_FAILED | Whim.VANISH | Whim.UNDELIVERED | Whim.NO_RECEIPT:
                await self._clock.sleep(self._chance.choice((0.0, 0.08)))
                return await self._create(whim, spec, message)
            case Whim.BUSY:
                return await self._create(whim, spec, message)
            case Whim.SLOW:
                await self._clock.sleep(self._chance.uniform(0.5, SLOW_SECONDS))
                return await self._create(whim, spec, message)
            case Whim.HANG:
                await self._clock.sleep(NEVER_SECONDS)
            case Whim.REFUSE:
                raise DeliveryError(DeliveryReason.CLIENT_ERROR, "refused", permanent=True)
            case Whim.FAIL:
                raise DeliveryError(DeliveryReason.SERVER_ERROR, "failed", permanent=False)
            case Whim.BREAK_AFTER:
                await self._create(whim, spec, message)
                raise DeliveryError(DeliveryReason.NETWORK, "broke off", permanent=False, unknown=True)
            case Whim.HANG_AFTER:
                await self._create(whim, spec, message)
                await self._clock.sleep(NEVER_SECONDS)
            case _:
                assert_never(whim)
        raise DeliveryError(DeliveryReason.TIMEOUT, "never", permanent=False)

    async def _create(self, whim: Whim, spec: ChannelSpec, message: Message) -> Receipt:
        """Make the message; whether it reaches its reader, and what is said of that, is the whim's."""
        self.fail(spec.name, LATE.get(whim))
        try:
            receipt = await Switchboard.take(self, spec, message)
        finally:
            self.fail(spec.name, None)
        self.created[message.reference] += 1
        self.made_at[message.reference].append(self._clock.monotonic())
        self.first_created.setdefault(message.incident, self._clock.monotonic())
        taken = self.find(message.reference)
        assert taken is not None
        self.say(f"created {message.reference} {spec.name} {message.person} {message.kind} {whim}")
        if whim not in UNHEARD:
            self._heard(taken)
        return receipt


class MoodyChannel(Simulated):
    """One channel on moody phones."""

    _board: MoodyPhones

    async def lookup(self, message: Message) -> Receipt | Unknown:
        """Ask what became of a message."""
        return await self._board.ask(self._spec, message)


async def once(take: Callable[[str, Attempt, str, str], object], chance: Random, told: Told) -> None:
    """Bring a receipt once."""
    del chance
    await take(*told)  # type: ignore[misc] # awaitable


async def twice_and_out_of_order(take: Callable[[str, Attempt, str, str], object], chance: Random, told: Told) -> None:
    """Bring a receipt as providers do: mostly once, sometimes twice, never, or with an older one behind it."""
    reference, status, reason, provider_id = told
    roll = chance.random()
    if roll < 0.02:
        return
    await take(reference, status, reason, provider_id)  # type: ignore[misc] # awaitable
    if roll > 0.9:
        await take(reference, status, reason, provider_id)  # type: ignore[misc]
    if roll > 0.96:
        await take(reference, Attempt.ACCEPTED, "", provider_id)  # type: ignore[misc]
