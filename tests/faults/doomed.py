"""The daemon, that kills itself at the n-th visit of a named point: `python -m tests.faults.doomed POINT N serve …`.

The points stand around whatever lasts or leaves the house: `begin`, `commit` and `committed` around every transaction
that writes, `send` and `sent` around every call to a provider, `lookup` and `looked` around every question to one.
"""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from escalatord.__main__ import main
from escalatord.notify.sender import Sender
from escalatord.store.store import Store

POINTS = ("begin", "commit", "committed", "send", "sent", "lookup", "looked")


def doom(point: str, visits: int) -> Callable[[str], None]:
    """Return what kills this process at that visit of that point."""
    left = [visits]

    def visit(name: str) -> None:
        left[0] -= name == point
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)

    return visit


def plant(visit: Callable[[str], None]) -> None:
    """Let the daemon visit the points."""
    run, call, ask = Store._run, Sender._call, Sender._ask

    def _run(self: Store, connection: Any, work: Callable[[Any], Any]) -> Any:
        if connection is not self._writer:
            return run(self, connection, work)
        visit("begin")

        def worked(tx: Any) -> Any:
            result = work(tx)
            visit("commit")
            return result

        result = run(self, connection, worked)
        visit("committed")
        return result

    async def _call(self: Sender, *told: Any) -> Any:
        visit("send")
        receipt = await call(self, *told)
        visit("sent")
        return receipt

    async def _ask(self: Sender, *told: Any) -> Any:
        visit("lookup")
        found = await ask(self, *told)
        visit("looked")
        return found

    Store._run, Sender._call, Sender._ask = _run, _call, _ask  # type: ignore[method-assign] # planted


if __name__ == "__main__":
    plant(doom(sys.argv[1], int(sys.argv[2])))
    sys.argv = ["escalatord", *sys.argv[3:]]
    sys.exit(main())
