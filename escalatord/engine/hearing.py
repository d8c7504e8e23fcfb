"""What other nodes changed and this one keeps in memory, taken in at the beginning of each transaction.

Nothing in memory is the truth. With several nodes the truth changes behind our back, so before anything is decided on a
snapshot, what is kept is brought up to that snapshot: overrides and unreachable addresses when their counter moved,
alerts that rules look around at when other nodes told of them. What was told is found by its number; numbers may be
committed out of order, so those above the last settled one (see `store.nodes`) are remembered one by one.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from structlog import get_logger

from escalatord.core.incident import Incident, State
from escalatord.core.rules import AlertRecord
from escalatord.core.ruleset import Ruleset, World
from escalatord.core.values import replace
from escalatord.engine.surroundings import Surroundings
from escalatord.store.tx import Tx

ALERTS_SURVEYED_MAX = 200_000
"""Past it the oldest are not counted by rules that count, and keep nobody quiet; a warning says so."""
NEWS_MAX = 5_000
"""Past it everything is read anew."""
UNSETTLED_SECONDS_MAX = 60.0
"""No transaction of ours lasts longer: what was told before that is settled in any case."""

log = get_logger(component="engine")


class Hearing:
    """How far this process has heard of what others do. Only the writer thread uses it, but for `settled`."""

    def __init__(self) -> None:
        self.settled = -1
        """Everything told up to this number is complete; raised by `peers`."""
        self.in_doubt = True
        """What the surroundings hold may not be what is committed: survey first."""
        self._world = -1
        self._heard: set[int] = set()

    def catch_up(self, tx: Tx, world: World, around: Surroundings, now: datetime) -> World:
        """Bring `around` up to the snapshot of `tx`, and return the world as it is there."""
        if tx.standing.world != self._world:
            world = replace(world, overrides=tuple(tx.overrides(now)), unreachable=tx.unreachable())
            self._world = tx.standing.world
        if around.needed:
            self._hear(tx, world.ruleset, around, now)
        return world

    def is_behind(self, tx: Tx) -> bool:
        """Return whether others told of something that no transaction of ours has taken in yet."""
        return any(revision not in self._heard for revision, _, _ in tx.nodes.news(self.settled, NEWS_MAX))

    def survey(self, tx: Tx, ruleset: Ruleset, around: Surroundings, now: datetime) -> None:
        """Build what rules look at beside an alert anew: at a start, with other rules, and when in doubt."""
        fresh = Surroundings(ruleset)
        records, incidents = _known(tx, fresh, now) if fresh.needed else ([], {})
        if tx.standing.now is not None:
            self.settled = max(self.settled, tx.nodes.told_before(now - timedelta(seconds=UNSETTLED_SECONDS_MAX)))
            self._heard = {revision for revision, _, _ in tx.nodes.news(self.settled, ALERTS_SURVEYED_MAX)}
        around.rebuild(ruleset, records, incidents, now)
        self.in_doubt = False

    def _hear(self, tx: Tx, ruleset: Ruleset, around: Surroundings, now: datetime) -> None:
        settled = self.settled
        self._heard = {revision for revision in self._heard if revision > settled}
        news = [] if self.in_doubt else tx.nodes.news(settled, NEWS_MAX)
        if self.in_doubt or len(news) >= NEWS_MAX:
            self.survey(tx, ruleset, around, now)
            return
        fresh = [told for told in news if told[0] not in self._heard]
        if not fresh:
            return
        by_source: dict[str, dict[str, None]] = {}
        for _, source, fingerprint in fresh:
            by_source.setdefault(source, {})[fingerprint] = None
        records = [record for source, names in by_source.items() for record in tx.alerts(source, names).values()]
        around.learn(records, _open(tx, records), now)
        self._heard.update(revision for revision, _, _ in fresh)


def _known(tx: Tx, around: Surroundings, now: datetime) -> tuple[list[AlertRecord], dict[int, Incident]]:
    records = tx.alerts_since(now - timedelta(seconds=around.window_seconds), ALERTS_SURVEYED_MAX)
    if len(records) >= ALERTS_SURVEYED_MAX:
        log.warning("too many alerts fire: some are not counted and keep nobody quiet", alerts=len(records))
    return records, _open(tx, records)


def _open(tx: Tx, records: Iterable[AlertRecord]) -> dict[int, Incident]:
    """Return the open incidents that these alerts are in."""
    found = tx.load({record.incident for record in records if record.incident and record.firing})
    return {number: incident for number, incident in found.items() if incident.state is not State.RESOLVED}
