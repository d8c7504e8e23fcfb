"""The wall clock of the machine was set while incidents wait: their instants are moved with it, in one transaction.

Until that is committed the process goes on by the clock as it was (`SteadyClock`), so no deadline comes early or late.
What an earlier boot of the machine left is an exception: when the clock is set forward, it may be that it was wrong
since that boot and right before. Its deadlines stay the instants that they are: early rather than late by years.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from structlog import get_logger

from escalatord.clock import SteadyClock, boot_id
from escalatord.core.moving import moved_alert, moved_incident
from escalatord.engine.commands import ANY_LANE, Changed, Remark
from escalatord.errors import StoreUnavailableError
from escalatord.store import clock_steps
from escalatord.store.tx import Tx

T = TypeVar("T")

INCIDENTS_AT_ONCE = 500
ALERTS_AT_ONCE_MAX = 100_000
LATELY = timedelta(days=1)
BOOT_SETTING = "boot"

log = get_logger(component="engine")


class Database(Protocol):
    """The engine, as far as it is needed here."""

    async def write(self, work: Callable[[Tx], T]) -> T:
        """Run a transaction beside the commands."""
        ...

    async def read(self, work: Callable[[Tx], T]) -> T:
        """Run a read-only transaction."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """What follows from a step of the clock: when something is due next, what the sender hears, what is journaled."""

    next_due: datetime | None
    news: Changed
    remark: Remark


class ClockSteps:
    """Watches one machine's clock. `number_at_start` is the last incident of an earlier boot, 0 = none is."""

    def __init__(self, clock: SteadyClock) -> None:
        self._clock = clock
        self.number_at_start = 0

    @property
    def pending(self) -> bool:
        """Return whether the clock was set and that is not taken over yet."""
        return bool(self._clock.step())

    def begin(self, tx: Tx) -> None:
        """Take note of what is there already; keep which boot of the machine this is."""
        booted = boot_id()
        if not booted or tx.setting(BOOT_SETTING) != booted:
            self.number_at_start = clock_steps.last_number(tx.connection)
            tx.set_setting(BOOT_SETTING, booted)

    def move(self, tx: Tx) -> timedelta:
        """Move what waits by as much as the clock was set, and return that."""
        by = self._clock.step()
        now = self._clock.now()
        after = self.number_at_start if by > timedelta(0) else 0
        numbers = clock_steps.open_numbers(tx.connection, after)
        for start in range(0, len(numbers), INCIDENTS_AT_ONCE):  # in one transaction, but never all in memory
            some = numbers[start : start + INCIDENTS_AT_ONCE]
            tx.save([moved_incident(incident, by) for incident in tx.load(some).values()])
        known = tx.alerts_since(now - LATELY, ALERTS_AT_ONCE_MAX)
        tx.save_alerts([(moved_alert(record, by), None) for record in known if not 0 < record.incident <= after])
        clock_steps.move(tx.connection, by, after, now)
        log.warning("the clock jumped, what waits moves with it", seconds=by.total_seconds(), incidents=len(numbers))
        return by

    async def follow(self, database: Database) -> Moved | None:
        """Move what waits and go by the new time; None when the clock goes evenly, or nothing can be committed now."""
        if not self.pending:
            return None
        try:
            by = await database.write(self.move)
        except StoreUnavailableError as error:
            log.warning("cannot move deadlines with the clock, all goes on by the old one", error=str(error))
            return None
        self._clock.take_over(by)
        try:
            next_due, retry_at = await database.read(lambda tx: (tx.next_due(), tx.outbox_next_due()))
        except StoreUnavailableError:
            next_due = retry_at = self._clock.now()  # then both loops look for themselves
        return Moved(
            next_due=next_due,
            news=Changed(outbox=frozenset({ANY_LANE}), retries=() if retry_at is None else (retry_at,)),
            remark=Remark(kind="clock_jump", body={"seconds": round(by.total_seconds(), 3)}),
        )
