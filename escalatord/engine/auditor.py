"""The auditor: does what was promised still happen? Every 15 s, by indexed questions only.

It finds deadlines that passed without anybody acting. What it reports feeds the service manager's watchdog, so that a
daemon that has stopped paging is restarted rather than believed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from structlog import get_logger

from escalatord.clock import Clock
from escalatord.engine.engine import Engine
from escalatord.errors import StoreUnavailableError
from escalatord.store.incidents import OpenCount

AUDIT_EVERY_SECONDS = 15.0
OVERDUE_SECONDS = 15.0
OVERDUE_COUNTED_MAX = 1_000

log = get_logger(component="auditor")


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What one audit found. `passed` = nothing is overdue and the loops turn."""

    at: datetime
    overdue: int
    open_counts: tuple[OpenCount, ...]
    passed: bool


async def audit_once(engine: Engine, now: datetime) -> Audit:
    """Look once; raise StoreUnavailableError when the store does not answer."""
    late = now - timedelta(seconds=OVERDUE_SECONDS)
    overdue, counts = await engine.read(lambda tx: (len(tx.due(late, OVERDUE_COUNTED_MAX)), tuple(tx.count_open())))
    overdue -= min(overdue, engine.quarantined)
    return Audit(at=now, overdue=overdue, open_counts=counts, passed=overdue == 0 and engine.healthy())


async def run_audits(engine: Engine, clock: Clock, report: Callable[[Audit], None]) -> None:
    """Audit for ever; `report` hears of every audit that could be made."""
    while True:
        try:
            audit = await audit_once(engine, clock.now())
        except StoreUnavailableError as error:
            log.error("cannot audit", error=str(error))  # noqa: TRY400 - the store's sentence is the whole story
        else:
            if not audit.passed:
                log.error("audit failed", overdue=audit.overdue, loops_turn=engine.healthy())
            report(audit)
        await clock.sleep(AUDIT_EVERY_SECONDS)
