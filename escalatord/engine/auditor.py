"""The auditor: does what was promised still happen? Every 15 s, by indexed questions only.

Two kinds of answers. What a restart may mend (a loop that does not turn, deadlines and attempts that nobody takes up)
feeds the service manager's watchdog: a daemon that has stopped paging is restarted rather than believed. What must
never be (a promise broken in the data) is counted, logged and told to people. The outward sign of life needs both well.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from structlog import get_logger

from escalatord.clock import Clock
from escalatord.core.values import replace
from escalatord.engine.claiming import still_wanted
from escalatord.engine.commands import Remark
from escalatord.engine.engine import Engine
from escalatord.errors import StoreUnavailableError
from escalatord.store.incidents import OpenCount
from escalatord.store.tx import Tx

AUDIT_EVERY_SECONDS = 15.0
OVERDUE_SECONDS = 15.0
OVERDUE_COUNTED_MAX = 1_000
WAITING_LOOKED_AT_MAX = 100
"""Of the attempts that wait longest so many are looked at in one audit: whether they should wait at all."""

log = get_logger(component="auditor")


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What one audit found.

    `overdue` deadlines; `forgotten` attempts (waiting in a lane that does nothing, or begun and past their lease);
    `silent` loops, and the wall clock when it stands still; `broken` are promises broken in the data: by the metric's
    name of the invariant, what exactly. `degraded` = the database is away, pages go on from memory.
    """

    at: datetime
    overdue: int
    open_counts: tuple[OpenCount, ...]
    forgotten: int = 0
    silent: tuple[str, ...] = ()
    broken: Mapping[str, str]
    degraded: bool = False

    @property
    def alive(self) -> bool:
        """Return whether paging goes on."""
        return not (self.overdue or self.forgotten or self.silent)

    @property
    def passed(self) -> bool:
        """Return whether all is well.

        It is not while the database is away: what is open pages, but what is new pages nobody, and only who watches
        from outside can say so. A restart would mend nothing, and forget what memory holds.
        """
        return self.alive and not self.broken and not self.degraded


async def audit_once(engine: Engine, now: datetime) -> Audit:
    """Look once; raise StoreUnavailableError when the store does not answer."""
    # from memory alone it cannot be told what became of alerts
    degraded = engine.outage.degraded is not None
    answered, idle = {} if degraded else engine.answered(), engine.pulse.idle
    found = await engine.read(lambda tx: _look(tx, now, answered, idle))
    overdue, forgotten, counts, broken = found
    overdue -= min(overdue, engine.quarantined)
    return Audit(
        at=now,
        overdue=overdue,
        open_counts=counts,
        forgotten=forgotten,
        silent=engine.pulse.silent(),
        broken=broken,
        degraded=degraded,
    )


async def run_audits(
    engine: Engine, clock: Clock, report: Callable[[Audit], None], every_seconds: float = AUDIT_EVERY_SECONDS
) -> None:
    """Audit for ever; `report` hears of every audit that could be made."""
    told: set[str] = set()
    at, monotonic = clock.now(), clock.monotonic()
    while True:
        try:
            audit = await audit_once(engine, clock.now())
            if not audit.at - at and clock.monotonic() - monotonic >= every_seconds / 2:
                # no deadline would ever come
                audit = replace(audit, silent=(*audit.silent, "wall clock"))
            at, monotonic = audit.at, clock.monotonic()
        except StoreUnavailableError as error:
            log.error("cannot audit", error=str(error))  # noqa: TRY400 - the store's sentence is the whole story
        else:
            if not audit.alive or audit.broken:
                log.error(
                    "audit failed",
                    overdue=audit.overdue,
                    forgotten=audit.forgotten,
                    silent=audit.silent,
                    broken=dict(audit.broken),
                )
            report(audit)
            await _tell(engine, audit, told)
        await clock.sleep(every_seconds)


async def _tell(engine: Engine, audit: Audit, told: set[str]) -> None:
    """Tell people of a promise that is broken, once while it stays so."""
    fresh = audit.broken.keys() - told
    told.clear()
    told.update(audit.broken)
    for name in sorted(fresh):
        remark = Remark(
            kind="audit_failed",
            body={"invariant": name, "say": audit.broken[name]},
            tell=f"escalatord found a promise broken: {audit.broken[name]}",
            advice="Paging goes on. Look at what is named here by hand, and please report it.",
        )
        try:
            await engine.submit(remark)
        except StoreUnavailableError as error:
            told.discard(name)
            log.error("cannot tell what the audit found", error=str(error))  # noqa: TRY400 - as above


def _look(
    tx: Tx, now: datetime, answered: Mapping[str, tuple[str, ...]], idle: Collection[str]
) -> tuple[int, int, tuple[OpenCount, ...], dict[str, str]]:
    """Return what is overdue, what is forgotten, what is open, and what is broken."""
    late = now - timedelta(seconds=OVERDUE_SECONDS)
    counts = tuple(tx.count_open())
    asleep = sum(count for _policy, _severity, _state, count, _since in counts) - tx.count_with_deadline()
    broken: dict[str, str] = {}
    if asleep:
        broken["next_step"] = f"{asleep} open incidents have no deadline"
    lost = [
        f"{source}/{fingerprint}"
        for source, fingerprints in answered.items()
        for fingerprint in fingerprints
        if fingerprint not in tx.alerts(source, fingerprints)
    ]
    if lost:
        broken["durable"] = f"{lost[0]} was accepted and is not in the database"
    waiting = tx.outbox_waiting(late, WAITING_LOOKED_AT_MAX)
    incidents = tx.load({row.incident for row in waiting})
    for row in waiting:
        incident = incidents.get(row.incident)
        if incident is None or (not row.claims and not still_wanted(incident, row)):
            broken["ack_ends_pages"] = f"{row.reference} waits to be sent though INC-{row.incident} is held or over"
    newest = tx.last_incident_journaled()
    if newest and not tx.verify(newest):
        broken["journal_whole"] = f"the journal of INC-{newest} was changed from outside"
    overdue = len(tx.due(late, OVERDUE_COUNTED_MAX)) + len(tx.due_alerts(late, OVERDUE_COUNTED_MAX))
    forgotten = tx.outbox_forgotten(late) + sum(row.lane in idle for row in waiting)
    return overdue, forgotten, counts, broken
