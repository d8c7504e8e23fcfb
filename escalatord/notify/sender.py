"""The sender: due outbox rows to providers, what became of them back to the engine.

- A lane per channel and provider: own concurrency, time-out and breaker. A hung lane slows no other.
- A row is claimed (`sending` is committed) before its provider hears of it. A row claimed before may have reached the
  provider: it is asked for the reference first, for 3 s; not found or no answer: it is sent. Twice rather than never.
- A failure is an event: reported at once, so that the next contact method starts now.
- Where other nodes may take over, nothing is begun or gone on with when the lease is over (see `engine.lease`).
- The last look is at the moment of the call: what an ack (or an end) that was committed since the claim made needless
  is withdrawn instead, and a commit under way is waited for. No page starts after its ack.
"""

import asyncio
import heapq
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Protocol

from structlog import get_logger

from escalatord.clock import Clock, idle, within
from escalatord.core.incident import Attempt
from escalatord.core.rules import AlertRecord
from escalatord.core.ruleset import Ruleset
from escalatord.core.template_values import worst_of
from escalatord.engine.commands import Changed, Claim, Claimed
from escalatord.engine.commands import Receipt as ReceiptCommand
from escalatord.engine.engine import Engine
from escalatord.engine.lease import LEASE_SECONDS, SPARE_SECONDS, LeaseLostError
from escalatord.errors import DeliveryError, DeliveryReason, StoreUnavailableError
from escalatord.notify.channel import Channel, Message, Receipt
from escalatord.notify.doubt import to_ask_about
from escalatord.notify.fallbacks import Fallbacks
from escalatord.notify.health import Health
from escalatord.notify.lane import Lane
from escalatord.notify.last_look import Flight, LastLooks
from escalatord.notify.render import Renderer, worded_by
from escalatord.store.rows import OutboxRow

LOOKUP_SECONDS = 3.0
WORST_ALERT_SECONDS = 1.0
LEASE_SPARE_SECONDS = 20.0
LANE = "lane "
HURRIED_SECONDS = 2.0
IDLE_SECONDS = 5.0
A_MOMENT = timedelta(milliseconds=1)
"""A lease counts until it is over: at its very end its row is not yet to be had."""
REPORT_TRIES_MAX = 60
REPORT_PAUSE_SECONDS = 1.0
DRAIN_SECONDS = 10.0
UNKNOWN_LANE_ROOM = 8
NEEDLESS = Receipt(status=Attempt.WITHDRAWN, reason="no longer needed")
RETRIES_KEPT_MAX = 10_000
"""Instants of retries that are remembered; past it a retry waits until the sender looks around anyway."""

log = get_logger(component="sender")


class Figures(Protocol):
    """What the sender counts; kept by `metrics.Metrics`."""

    def notified(self, channel: str, provider: str, result: str, reason: str, seconds: float) -> None:
        """Count one finished attempt and how long the provider took."""
        ...

    def channel_up(self, channel: str, provider: str, *, up: bool) -> None:
        """Show whether a lane works."""
        ...

    def template_fell_back(self, template: str) -> None:
        """Count a message that a template failed to word."""
        ...


class Sender:
    """Claims due rows, hands them to channels, reports what became of them. `run` inside a TaskGroup.

    `idle_seconds` is how long it waits for news before it looks into the outbox anyway.
    """

    def __init__(
        self,
        engine: Engine,
        channels: Mapping[str, Channel],
        clock: Clock,
        figures: Figures,
        external_url: str,
        *,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._figures = figures
        self._renderer = Renderer(external_url)
        self._health = Health()
        self._fallbacks = Fallbacks(engine, figures.template_fell_back)
        self._lanes: dict[str, Lane] = {}
        self._wake = asyncio.Event()
        self._idle_seconds = idle_seconds
        self._retries: list[datetime] = []
        self._looks = LastLooks(engine, clock, self._hear)
        self._look_for_strays = True
        self._claiming = asyncio.Lock()
        self._draining = False
        self.use(engine.ruleset, channels)

    def use(self, ruleset: Ruleset, channels: Mapping[str, Channel]) -> None:
        """Take new channels into use (at start and after a reload); attempts under way end on the old ones."""
        lanes = {}
        for name, channel in channels.items():
            spec = ruleset.channels[name]
            lane = f"{name}/{spec.provider}"
            old = self._lanes.get(lane)
            if old is None:
                lanes[lane] = Lane(lane, spec, channel)
            else:
                # the same lane goes on: what is under way still counts against its room
                old.spec, old.channel = spec, channel
                lanes[lane] = old
            self._figures.channel_up(name, spec.provider, up=self._health.of(lane).up)
        self._lanes = lanes
        self._look_for_strays = True

    @property
    def up(self) -> dict[str, bool]:
        """Return for each lane whether it works as far as is known."""
        return {name: self._health.of(name).up for name in self._lanes}

    async def run(self) -> None:
        """Send what is due, for ever."""
        with self._engine.watch() as news:
            listening = asyncio.create_task(self._looks.listen(news), name="sender-listens")
            try:
                while True:
                    self._engine.pulse.beat("sender")
                    self._wake.clear()
                    async with self._claiming:
                        look_again = not self._draining and await self._round()
                    self._show_pulse()
                    if look_again:
                        continue
                    await self._pause()
            finally:
                listening.cancel()

    async def drain(self) -> None:
        """Claim nothing more, and let attempts under way end, for at most DRAIN_SECONDS."""
        self._draining = True
        async with self._claiming:  # a claim under way may still bring attempts
            tasks = [task for lane in self._lanes.values() for task in lane.tasks]
        if tasks:
            await asyncio.wait(tasks, timeout=DRAIN_SECONDS)

    async def close(self) -> None:
        """Let go of every channel."""
        for lane in self._lanes.values():
            for task in lane.tasks:
                task.cancel()
            await lane.channel.close()

    # ------------------------------------------------------------------------------------------------------ private

    def _hear(self, changed: Changed) -> None:
        for at in changed.retries[: RETRIES_KEPT_MAX - len(self._retries)]:
            heapq.heappush(self._retries, at)
        if changed.retries or any([self._takes_more(lane) for lane in changed.outbox]):  # noqa: C419 - each is told
            self._wake.set()

    def _takes_more(self, name: str) -> bool:
        lane = self._lanes.get(name)
        return lane is None or lane.takes_more()

    def _show_pulse(self) -> None:
        """Say which lanes are not stuck: they have room, and no attempt under way takes longer than one can."""
        pulse, now = self._engine.pulse, self._clock.monotonic()
        pulse.keep(LANE, [LANE + name for name in self._lanes])
        for lane in self._lanes.values():
            longest = now - min(lane.began_at.values(), default=now)
            may_be_silent = lane.patience_seconds - longest
            if may_be_silent > 0 and (lane.room > 0 or lane.began_at):
                pulse.beat(LANE + lane.name, max(may_be_silent, 2 * self._idle_seconds))
        pulse.idle = frozenset(name for name, lane in self._lanes.items() if not lane.busy)

    async def _pause(self) -> None:
        """Wait for news, for a retry that comes due, or a little while."""
        now = self._clock.now()
        seconds = self._idle_seconds
        if self._retries:
            seconds = min(seconds, max(0.0, (self._retries[0] - now).total_seconds()))
        woken = await idle(self._clock, self._wake, seconds)
        self._look_for_strays = self._look_for_strays or not woken

    async def _round(self) -> bool:
        """Claim what there is room for and start it; return whether to look again at once."""
        room = {name: lane.room for name, lane in self._lanes.items() if lane.room > 0}
        lease = max((lane.channel.capabilities.timeout_seconds for lane in self._lanes.values()), default=10.0)
        now = self._clock.now()
        try:
            # rows of a channel that left the rules have no lane: they are claimed too, and reported as not sent
            if self._look_for_strays:
                self._look_for_strays = False
                waiting, due_at = await self._engine.read(lambda tx: (tx.outbox_lanes(), tx.outbox_next_due()))
                if due_at is not None and due_at >= now:  # put off, or begun, before we started
                    for at in {max(due_at, now + A_MOMENT), due_at + A_MOMENT}:
                        heapq.heappush(self._retries, at)
                room.update({lane: UNKNOWN_LANE_ROOM for lane in waiting if lane not in self._lanes})
            if not room:
                return False
            held = self._engine.lease
            term = held.term
            if held.seconds_left(term) < SPARE_SECONDS:
                return False  # what is claimed now could not be begun, and would wait for the end of its claim
            # a lease that is prolonged while the attempt lasts can be short
            lease_seconds = LEASE_SECONDS if held.is_limited else lease + LEASE_SPARE_SECONDS
            claim = Claim(room=room, lease_seconds=lease_seconds, held=frozenset(held.holding))
            claimed = await self._engine.submit(claim)
        except StoreUnavailableError as error:
            log.warning("cannot claim", error=str(error))
            await self._clock.sleep(REPORT_PAUSE_SECONDS)
            return False
        rows: tuple[Claimed, ...] = claimed  # type: ignore[assignment] # a Claim is answered with claimed rows
        while self._retries and self._retries[0] <= now:
            heapq.heappop(self._retries)  # what was due then has been claimed, or waits for room
        for name, asked in self._lanes.items():
            if name in room:
                asked.starved = sum(item.row.lane == name for item in rows) >= room[name]
        strays = [item for item in rows if item.row.lane not in self._lanes]
        for item in rows:  # all of them before anything is waited for: from now on news of them is listened for
            lane = self._lanes.get(item.row.lane)
            if lane is None:
                continue
            lane.busy += 1
            self._engine.lease.holding[item.row.reference] = item.row.claims
            lane.began_at.setdefault(item.row.reference, self._clock.monotonic())
            flight = self._looks.begin(item, term)
            task = asyncio.create_task(self._deliver(lane, flight), name=f"send {item.row.reference}")
            lane.tasks.add(task)
            task.add_done_callback(lane.tasks.discard)
        for item in strays:
            await self._report(item, Attempt.FAILED_PERMANENT, DeliveryReason.NOT_CONFIGURED, "")
            self._look_for_strays = True
        return self._look_for_strays

    async def _deliver(self, lane: Lane, flight: Flight) -> None:
        """One attempt from claim to report."""
        reference = flight.item.row.reference
        try:
            await self._deliver_held(lane, flight)
        except LeaseLostError:
            log.warning("left to another node", reference=reference, lane=lane.name)
        finally:
            self._engine.lease.holding.pop(reference, None)

    async def _deliver_held(self, lane: Lane, flight: Flight) -> None:
        started = self._clock.monotonic()
        item = flight.item
        try:
            receipt = await self._attempt(lane, flight)
        finally:
            self._looks.end(flight)
            lane.busy -= 1
            lane.began_at.pop(item.row.reference, None)
            self._engine.pulse.beat(LANE + lane.name, lane.patience_seconds)
            if lane.starved:
                self._wake.set()
        seconds = self._clock.monotonic() - started
        spec = lane.spec
        result = (
            "failed" if receipt.status in (Attempt.FAILED_TEMPORARY, Attempt.FAILED_PERMANENT) else receipt.status.value
        )
        self._figures.notified(spec.name, spec.provider, result, receipt.reason, seconds)
        self._figures.channel_up(spec.name, spec.provider, up=self._health.of(lane.name).up)
        await self._report(item, receipt.status, receipt.reason, receipt.provider_id)
        await self._fallbacks.write_down()

    async def _attempt(self, lane: Lane, flight: Flight) -> Receipt:
        item = flight.item
        now = self._clock.now()
        breaker, may_go = self._health.of(lane.name).admit(now)
        self._health.breakers[lane.name] = breaker
        if not may_go:
            return Receipt(status=Attempt.FAILED_TEMPORARY, reason=breaker.reason or DeliveryReason.UNREACHABLE)
        try:
            message = await self._worded(lane, item, now)
            about = await to_ask_about(self._engine, item, message, now)
            if about is not None:
                found = await self._ask(lane, about)
                if found is not None:
                    return found
                flight.moved = True  # asking took its time, and other nodes take answers too
            receipt = NEEDLESS
            if await self._looks.wanted(flight):
                receipt = await self._send(lane, flight, message, self._patience_seconds(lane, item.row, now))
            if receipt is NEEDLESS:
                return receipt  # nothing was learned of the lane
        except LeaseLostError:
            raise
        except DeliveryError as error:
            self._health.breakers[lane.name] = self._health.of(lane.name).fail(self._clock.now(), error.reason)
            status = Attempt.FAILED_PERMANENT if error.permanent else Attempt.FAILED_TEMPORARY
            log.warning("not sent", reference=item.row.reference, lane=lane.name, reason=error.reason, why=error.say)
            return Receipt(status=status, reason=error.reason)
        except Exception:  # one of the three places (architecture §7): one sender row
            log.exception("a channel raised", reference=item.row.reference, lane=lane.name)
            self._fallbacks.tell(lane.spec.name, now)
            return Receipt(status=Attempt.FAILED_TEMPORARY, reason=DeliveryReason.OTHER)
        self._health.breakers[lane.name] = self._health.of(lane.name).succeed()
        return receipt

    async def _worded(self, lane: Lane, item: Claimed, now: datetime) -> Message:
        """Return the message of a row. Its incident is as it was when claimed, a moment ago: the last look before."""
        world = self._engine.world
        alert = await self._worst_alert(item) if worded_by(item, lane.spec, world) else None
        message, fallback = self._renderer.render(item, lane.spec, world, now, alert)
        if fallback is not None:
            self._fallbacks.note(fallback, item.row.reference, now)
        return message

    async def _worst_alert(self, item: Claimed) -> AlertRecord | None:
        """Return the alert that a template may quote; None when it cannot be had at once: no page waits for it."""
        number = item.incident.number
        try:
            found = self._engine.read(lambda tx: tx.alerts_of(number))
            return worst_of(await within(self._clock, WORST_ALERT_SECONDS, found))
        except (TimeoutError, StoreUnavailableError):
            return None

    def _patience_seconds(self, lane: Lane, row: OutboxRow, now: datetime) -> float:
        """Return how long the provider may take; in a lane in trouble, what a row has waited there counts.

        Else a page that waits behind hung ones would hang as long as they did before its fallback starts.
        """
        whole = lane.channel.capabilities.timeout_seconds
        if not self._health.of(lane.name).failures:
            return whole
        return min(whole, max(HURRIED_SECONDS, whole - (now - row.due_at).total_seconds()))

    async def _send(self, lane: Lane, flight: Flight, message: Message, patience_seconds: float) -> Receipt:
        """Hand the message over within its time; a time-out is an unknown outcome, so ask."""
        try:
            return await self._engine.lease.keep(flight.term, patience_seconds, self._call(lane, flight, message))
        except TimeoutError:
            say = f"{lane.name} did not answer in {patience_seconds:.0f} s"
            error = DeliveryError(DeliveryReason.TIMEOUT, say, permanent=False, unknown=True)
        except DeliveryError as raised:
            error = raised
        if error.unknown:
            found = await self._ask(lane, message)
            if found is not None:
                return found
        raise error

    async def _call(self, lane: Lane, flight: Flight, message: Message) -> Receipt:
        return await lane.channel.send(message) if await self._looks.wanted(flight) else NEEDLESS

    async def _ask(self, lane: Lane, message: Message) -> Receipt | None:
        """Ask the provider what became of a reference, for LOOKUP_SECONDS; None = not found or no answer."""
        if not lane.channel.capabilities.lookup:
            return None
        try:
            found = await within(self._clock, LOOKUP_SECONDS, lane.channel.lookup(message))
        except (TimeoutError, DeliveryError):
            return None
        return found if isinstance(found, Receipt) else None

    async def _report(self, item: Claimed, status: Attempt, reason: str, provider_id: str) -> None:
        """Commit what became of an attempt; when the store is away, try for a while (the lease ends by itself)."""
        command = ReceiptCommand(
            reference=item.row.reference,
            status=status,
            reason=str(reason),
            provider_id=provider_id,
            claims=item.row.claims,
        )
        for _ in range(REPORT_TRIES_MAX):
            try:
                await asyncio.shield(self._engine.submit(command))
            except StoreUnavailableError:
                await self._clock.sleep(REPORT_PAUSE_SECONDS)
            else:
                return
