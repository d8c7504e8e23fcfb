"""Commands that wait to be committed: bounded, in the order they came in, taken as far as one transaction goes."""

import asyncio
from collections import deque
from dataclasses import dataclass

from escalatord.engine.commands import Command, Ingest
from escalatord.engine.handlers import Due
from escalatord.errors import StoreUnavailableError

COMMANDS_WAITING_MAX = 10_000
BATCH_COMMANDS_MAX = 256
BATCH_ALERTS_MAX = 512
"""An ack, a timer or a claim waits for at most so many alerts that came before it, and one body more."""


@dataclass(slots=True)
class Waiting:
    """A command, and who waits for what it comes to."""

    command: Command | Due
    future: "asyncio.Future[object]"

    def fail(self, error: Exception) -> None:
        """Tell whoever waits that it came to nothing."""
        if not self.future.done():
            self.future.set_exception(error)


class WaitingRoom:
    """What waits. `work` is set whenever something comes in; `closed` refuses whatever comes."""

    def __init__(self, work: asyncio.Event) -> None:
        self._work = work
        self._waiting: deque[Waiting] = deque()
        self.closed = False

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def admit(self, command: Command | Due) -> "asyncio.Future[object]":
        """Let a command wait; raise StoreUnavailableError when too many do, or the daemon is shutting down."""
        if self.closed or len(self._waiting) >= COMMANDS_WAITING_MAX:
            why = "the daemon is shutting down" if self.closed else "too many commands are waiting to be committed"
            raise StoreUnavailableError(why)
        return self.put(command)

    def put(self, command: Command | Due) -> "asyncio.Future[object]":
        """Let a command of our own wait, whatever else does."""
        future: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self._waiting.append(Waiting(command, future))
        self._work.set()
        return future

    def next_batch(self) -> list[Waiting]:
        """Take what waits, as far as one transaction goes; at least one command when there is any."""
        batch: list[Waiting] = []
        alerts = 0
        while self._waiting and len(batch) < BATCH_COMMANDS_MAX and alerts < BATCH_ALERTS_MAX:
            waiting = self._waiting.popleft()
            batch.append(waiting)
            if isinstance(waiting.command, Ingest):
                alerts += len(waiting.command.alerts)
        return batch

    def turn_out(self) -> None:
        """Tell everybody who waits that the daemon is shutting down, and let nobody in any more."""
        self.closed = True
        for waiting in self._waiting:
            waiting.fail(StoreUnavailableError("the daemon is shutting down"))
        self._waiting.clear()
