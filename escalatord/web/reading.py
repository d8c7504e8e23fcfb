"""What the API and the pages read from the store: each a pure function of one read transaction, and limits on it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from escalatord.core.incident import Incident, NoticeKind, State
from escalatord.core.roster import ChannelKind
from escalatord.core.ruleset import Ruleset, World
from escalatord.core.throttle import Past, budget, limits_of
from escalatord.core.values import replace
from escalatord.engine.absences import load_away
from escalatord.engine.engine import View
from escalatord.store.rows import JournalRow, OutboxRow
from escalatord.store.tx import Tx
from escalatord.web.incidents_json import Story, paging
from escalatord.web.parts import EnginePort

INCIDENTS_LISTED_MAX = 500
ALERTS_SHOWN_MAX = 100
MESSAGES_SHOWN_MAX = 200
OPEN_SHOWN_MAX = 100
CLOSED_SHOWN_MAX = 10
PEOPLE_SHOWN_MAX = 20
LIMITED_KINDS = (ChannelKind.SMS, ChannelKind.CALL, ChannelKind.MAIL)
OWN_ENTRIES_LOOKED_AT_MAX = 200
TROUBLES_SHOWN_MAX = 10
TROUBLES = frozenset(
    {"command_failed", "invariant_violated", "audit_failed", "dead_letter", "channel_failed", "template_failed"}
)
"""Kinds of the daemon's own entries that say that something failed in a way it must not."""
A_DAY = timedelta(days=1)
OPEN_STATES = (State.OPEN, State.ACKNOWLEDGED)


def story_of(tx: Tx, number: int) -> Story:
    """Return everything stored about an incident."""
    alerts = tx.alerts_of(number, limit=ALERTS_SHOWN_MAX)
    verdicts: dict[str, Mapping[str, object]] = {}
    for record in alerts:
        found = tx.verdict_of(record.alert.source, record.alert.fingerprint)
        if found is not None:
            verdicts[record.alert.fingerprint] = found
    outbox = sorted(tx.outbox_of(number), key=lambda row: row.due_at)[-MESSAGES_SHOWN_MAX:]
    return Story(journal=tx.journal_of(number), alerts=alerts, verdicts=verdicts, outbox=outbox)


async def told(engine: EnginePort, number: int) -> tuple[View, Story] | None:
    """Return an incident beside its world and its story, None when there is no such incident."""
    view = await engine.view(number)
    if view is None:
        return None
    return view, await engine.read(lambda tx: replace(story_of(tx, number), budgets=budgets_of(tx, view)))


def budgets_of(tx: Tx, view: View) -> tuple[str, ...]:
    """Return how much of their limits those who are being paged have used: `ana: sms 1 of 5 in 15m`."""
    ruleset, lines = view.world.ruleset, []
    for person in paging(view.incident)[:PEOPLE_SHOWN_MAX]:
        for kind in LIMITED_KINDS:
            limits = limits_of(ruleset.limits, kind)
            channels = {name for name, spec in ruleset.channels.items() if spec.kind is kind}
            if not limits or not channels:
                continue
            since = view.at - timedelta(seconds=limits[-1].window_seconds)
            sent = [each for each in tx.sent_to(person, since, view.at) if each.channel in channels]
            past = [Past(each.at, each.kind is NoticeKind.DIGEST) for each in sent]
            lines.append(f"{person}: {budget(kind.value, limits, past, view.at)}")
    return tuple(lines)


async def world_at(engine: EnginePort, at: datetime) -> World:
    """Return the world without any incident: who may be looked up at `at`, overrides made at run time included."""
    ruleset: Ruleset = engine.ruleset
    since = min(at, engine.clock.now())
    overrides, unreachable, away = await engine.read(
        lambda tx: (tuple(tx.overrides(since)), tx.unreachable(), load_away(tx, since))
    )
    return World(ruleset=ruleset, policies={}, overrides=overrides, unreachable=unreachable, away=away)


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """What is open now (unacknowledged and worst first), what closed last, and the attempts of the open ones."""

    unacknowledged: tuple[Incident, ...]
    acknowledged: tuple[Incident, ...]
    closed: tuple[Incident, ...]
    attempts: Mapping[int, tuple[OutboxRow, ...]]


def troubles(tx: Tx, now: datetime) -> list[JournalRow]:
    """Return what was wrong with escalatord itself within a day, newest first."""
    rows = tx.journal_latest(0, OWN_ENTRIES_LOOKED_AT_MAX)
    return [row for row in rows if row.entry.kind in TROUBLES and row.entry.at > now - A_DAY][:TROUBLES_SHOWN_MAX]


def board_of(tx: Tx) -> Board:
    """Return the board, read in one transaction."""
    found = tx.list_incidents(states=OPEN_STATES, limit=OPEN_SHOWN_MAX)
    worst_first = sorted(found, key=lambda incident: (-incident.severity.rank, incident.opened_at))
    return Board(
        unacknowledged=tuple(incident for incident in worst_first if incident.state is State.OPEN),
        acknowledged=tuple(incident for incident in worst_first if incident.state is State.ACKNOWLEDGED),
        closed=tuple(tx.list_incidents(states=(State.RESOLVED,), limit=CLOSED_SHOWN_MAX)),
        attempts={incident.number: tuple(tx.outbox_of(incident.number)) for incident in found},
    )
