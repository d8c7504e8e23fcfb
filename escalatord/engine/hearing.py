"""What other nodes changed and this one keeps in memory, taken in at the beginning of each transaction.

Nothing in memory is the truth. With several nodes the truth changes behind our back, so before anything is decided on a
snapshot, what is kept is brought up to that snapshot: overrides, unreachable addresses, absences and silences when
their counter moved, alerts that rules look around at when other nodes told of them. What was told is found by its
number; numbers may be committed out of order, so those above the last settled one (see `store.nodes`) are remembered
one by one.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from structlog import get_logger

from escalatord.core.incident import Incident, State
from escalatord.core.mutes import Silence
from escalatord.core.rules import AlertRecord
from escalatord.core.ruleset import Ruleset, World
from escalatord.core.values import replace
from escalatord.engine.absences import load_away
from escalatord.engine.surroundings import Surroundings
from escalatord.store.nodes import NEWS_KEPT_SECONDS
from escalatord.store.tx import Tx

ALERTS_SURVEYED_MAX = 200_000
"""Past it the oldest are not counted by rules that count, and keep nobody quiet; a warning says so."""
QUIETS_SETTING = "rules_keep_quiet"
"""The setting that says whether the rules in force last could keep an alert quiet that would page without them."""
NEWS_MAX = 5_000
"""Past it everything is read anew."""
UNSETTLED_SECONDS_MAX = 60.0
"""No transaction of ours lasts longer: what was told before that is settled in any case."""
HEARD_SECONDS_MAX = NEWS_KEPT_SECONDS - UNSETTLED_SECONDS_MAX
"""Who listened longer ago may have missed what is forgotten by now."""
LISTEN_SECONDS_MAX = HEARD_SECONDS_MAX / 2
"""A node that decides nothing listens all the same this often."""

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
        self._listened_at: datetime | None = None
        """When, by the database's clock, everything told was taken in last."""

    def catch_up(self, tx: Tx, world: World, around: Surroundings, now: datetime) -> World:
        """Bring `around` up to the snapshot of `tx`, and return the world as it is there."""
        if tx.standing.world != self._world:
            world, silences = read_again(tx, world, now)
            around.silence(silences)
            around.keep()  # it is committed already, whatever becomes of this transaction
            self._world = tx.standing.world
        if around.needed or around.storms.window_seconds:
            self._hear(tx, world.ruleset, around, now)
        return world

    def is_behind(self, tx: Tx, now: datetime) -> bool:
        """Return whether it is time to listen: others told of something, or none of our transactions did for long."""
        listened_at = self._listened_at
        if listened_at is None or now - listened_at > timedelta(seconds=LISTEN_SECONDS_MAX):
            return True
        return any(revision not in self._heard for revision, _, _ in tx.nodes.news(self.settled, NEWS_MAX))

    def survey(self, tx: Tx, ruleset: Ruleset, around: Surroundings, now: datetime) -> None:
        """Build what rules look at beside an alert anew: at a start, with other rules, and when in doubt."""
        records, incidents = _known(tx, ruleset, around, now)
        if tx.standing.now is not None:
            self._listened_at = now
            self.settled = max(self.settled, tx.nodes.told_before(now - timedelta(seconds=UNSETTLED_SECONDS_MAX)))
            self._heard = {revision for revision, _, _ in tx.nodes.news(self.settled, ALERTS_SURVEYED_MAX)}
        around.rebuild(ruleset, records, _open(incidents), now)
        storms = around.storms
        storms.rebuild(records, incidents, now - timedelta(seconds=storms.window_seconds))
        self.in_doubt = False

    def _hear(self, tx: Tx, ruleset: Ruleset, around: Surroundings, now: datetime) -> None:
        if self._listened_at is None or now - self._listened_at > timedelta(seconds=HEARD_SECONDS_MAX):
            self.in_doubt = True
        self._listened_at = now
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
        incidents = tx.load({record.incident for record in records if record.incident})
        around.learn(records, _open(incidents), now)
        around.storms.learn(records, incidents, now)
        self._heard.update(revision for revision, _, _ in fresh)


def read_again(tx: Tx, world: World, now: datetime) -> tuple[World, list[Silence]]:
    """Return the world with what people changed at run time, and the silences beside it."""
    overrides, unreachable, away = tuple(tx.overrides(now)), tx.unreachable(), load_away(tx, now)
    return replace(world, overrides=overrides, unreachable=unreachable, away=away), tx.silences(now)


def _known(
    tx: Tx, ruleset: Ruleset, around: Surroundings, now: datetime
) -> tuple[list[AlertRecord], dict[int, Incident]]:
    """Return the alerts that rules look at beside others, and the incidents that they are in."""
    fresh = Surroundings(ruleset)
    quiets = "1" if fresh.cause_names or ruleset.suppress else ""
    # what was quiet until now by rules that are gone has to be looked at, also after a restart
    before = tx.setting(QUIETS_SETTING) or ""
    if before != quiets:
        tx.set_setting(QUIETS_SETTING, quiets)
    if not (fresh.needed or fresh.storms.window_seconds or before or around.silences()):
        return [], {}
    since = now - timedelta(seconds=max(fresh.window_seconds, fresh.storms.window_seconds))
    records = tx.alerts_since(since, ALERTS_SURVEYED_MAX)
    if len(records) >= ALERTS_SURVEYED_MAX:
        log.warning("too many alerts fire: some are not counted and keep nobody quiet", alerts=len(records))
    lately = now - timedelta(seconds=fresh.storms.window_seconds)
    wanted = {each.incident for each in records if each.incident and (each.firing or each.opened_at > lately)}
    return records, tx.load(wanted)


def _open(incidents: Mapping[int, Incident]) -> dict[int, Incident]:
    return {number: incident for number, incident in incidents.items() if incident.state is not State.RESOLVED}
