"""The nodes that share a database: who is there, until when each may send, and what the others did meanwhile.

- A node's lease is a row that the node prolongs, and with it the leases of the attempts it is sending. What a dead node
  was sending may be claimed when those have ended: nobody has to rescue anything.
- Numbers of the journal come from a sequence, and a transaction may commit after one that took a higher number. What
  lies below a `Horizon` that has settled is complete: whoever took a number up to there has committed or never will.
- SQLite serves one process and knows none of this.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from pydantic_core import from_json
from sqlalchemy import Connection, Select, bindparam, delete, func, insert, literal_column, select, text, update

from escalatord.core.incident import Via
from escalatord.store.codec import from_micros, to_micros
from escalatord.store.outbox import end_leases
from escalatord.store.rows import JournalEntry, NodeRow
from escalatord.store.sql import execute_many, fetch, insert_many
from escalatord.store.tables import alert_news, attempt_is_sending, journal, node_chains, nodes, outbox, word

NEWS_KEPT_SECONDS = 3600.0
"""A node that heard nothing for longer has to read every alert again."""
NODES_KEPT_SECONDS = 86_400.0

_all = select(nodes).order_by(nodes.c.started_at, nodes.c.id)
_add = insert(nodes)
_drop = delete(nodes).where(nodes.c.id == bindparam("gone"))
_sweep = delete(nodes).where(nodes.c.lease_until < bindparam("before"))
_beat = (
    update(nodes)
    .where(nodes.c.id == bindparam("of_node"))
    .values(heartbeat_at=bindparam("at"), lease_until=bindparam("until"), lateness_ms=bindparam("late"))
)
# One that has ended may be another node's by now: it is not prolonged.
_prolong = (
    update(outbox)
    .where(
        outbox.c.reference == bindparam("held"),
        outbox.c.claims == bindparam("at_claims"),
        attempt_is_sending,
        outbox.c.lease_until >= bindparam("at"),
    )
    .values(lease_until=bindparam("until"))
)
_next_chain = select(func.nextval(node_chains.name))
_tell = insert(alert_news)
_news = (
    select(alert_news.c.revision, alert_news.c.source, alert_news.c.fingerprint)
    .where(alert_news.c.revision > bindparam("after"), alert_news.c.chain != bindparam("own"))
    .order_by(alert_news.c.revision)
    .limit(bindparam("limit"))
)
_told_before = select(func.max(alert_news.c.revision)).where(alert_news.c.at < bindparam("before"))
# By number, from the oldest: what is to be looked through is bounded, and needs no index but the key. What another node
# is deleting is left to it.
_oldest_news = select(func.min(alert_news.c.revision)).scalar_subquery()
_forget_news = delete(alert_news).where(
    alert_news.c.revision.in_(
        select(alert_news.c.revision)
        .where(alert_news.c.revision < _oldest_news + bindparam("limit"), alert_news.c.at < bindparam("before"))
        .with_for_update(skip_locked=True)
    )
)
_lately = (
    select(journal.c.incident, journal.c.seq)
    .where(journal.c.seq > bindparam("after"), journal.c.incident > literal_column("0"))
    .order_by(journal.c.seq)
    .limit(bindparam("limit"))
    .subquery()
)
_changes = select(_lately.c.incident, func.max(_lately.c.seq)).group_by(_lately.c.incident)
_horizon = text(
    "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint, "
    "pg_snapshot_xmax(pg_current_snapshot())::text::bigint, "
    "(SELECT last_value FROM journal_seq_seq), (SELECT last_value FROM alert_news_revision_seq)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Horizon:
    """How far the journal and the news of alerts go by now, and which transactions were running just before.

    `oldest` is the number of the oldest transaction that ran, `next` the first that had not begun.
    """

    oldest: int
    next: int
    seq: int
    revision: int


class Nodes:
    """What a transaction says to the other nodes, and hears of them."""

    __slots__ = ("_chain", "_connection")

    def __init__(self, connection: Connection, chain: int) -> None:
        self._connection = connection
        self._chain = chain

    def all(self) -> list[NodeRow]:
        """Return the nodes known of, those that ended lately included, in the order in which they started."""
        return [_node(row) for row in self._connection.execute(_all)]

    def join(self, node: NodeRow, over: Collection[str]) -> NodeRow:
        """Let a node be one of them, and return it with its chain; `over` are nodes that are known to have ended.

        When nobody else is alive, what was being sent may be claimed at once.
        """
        now = node.started_at
        for gone in over:
            self._connection.execute(_drop, {"gone": gone})
        self._connection.execute(_sweep, {"before": to_micros(now - timedelta(seconds=NODES_KEPT_SECONDS))})
        if not any(other.lease_until >= now for other in self.all()):
            end_leases(self._connection, now)
        chain = -int(self._connection.execute(_next_chain).scalar_one())
        self._connection.execute(
            _add,
            {
                "id": node.id,
                "place": node.place,
                "version": node.version,
                "started_at": to_micros(now),
                "heartbeat_at": to_micros(node.heartbeat_at),
                "lease_until": to_micros(node.lease_until),
                "lateness_ms": 0,
                "chain": chain,
            },
        )
        return _node(next(row for row in self._connection.execute(_all) if row.id == node.id))

    def beat(self, node: NodeRow, holding: Mapping[str, int]) -> bool:
        """Prolong a node's lease and those of the attempts it is sending (reference → claims).

        Return False when the node is no longer known: it has to join again.
        """
        at, until = to_micros(node.heartbeat_at), to_micros(node.lease_until)
        late = round(node.lateness_seconds * 1000)
        known = execute_many(self._connection, _beat, [{"of_node": node.id, "at": at, "until": until, "late": late}])
        if holding:
            rows = [
                {"held": reference, "at_claims": claims, "at": at, "until": until}
                for reference, claims in sorted(holding.items())
            ]
            execute_many(self._connection, _prolong, rows)
        return known == 1

    def leave(self, node: str) -> None:
        """Forget a node that ended in order."""
        self._connection.execute(_drop, {"gone": node})

    def tell(self, places: Iterable[tuple[str, str]], at: datetime) -> None:
        """Let the others know that these alerts (source, fingerprint) changed."""
        rows = [
            {"chain": self._chain, "source": source, "fingerprint": fingerprint, "at": to_micros(at)}
            for source, fingerprint in places
        ]
        if rows:
            insert_many(self._connection, _tell, rows)

    def news(self, after: int, limit: int) -> Sequence[tuple[int, str, str]]:
        """Return what others told since revision `after`: (revision, source, fingerprint)."""
        return fetch(self._connection, _news, after=after, own=self._chain, limit=limit)

    def told_before(self, at: datetime) -> int:
        """Return the last revision told before `at`, 0 when there is none."""
        return self._connection.execute(_told_before, {"before": to_micros(at)}).scalar() or 0

    def forget_news(self, now: datetime, limit: int) -> int:
        """Drop at most `limit` news that everybody has heard long ago, the oldest; return how many. 0 = no more."""
        before = to_micros(now - timedelta(seconds=NEWS_KEPT_SECONDS))
        return execute_many(self._connection, _forget_news, [{"before": before, "limit": limit}])

    def changes(self, after: int, limit: int) -> Sequence[tuple[int, int]]:
        """Return which incidents the journal speaks of after number `after`: (incident, its last number).

        At most `limit` entries are looked through.
        """
        return fetch(self._connection, _changes, after=after, limit=limit)

    def facts(self, kinds: Collection[str], after: int, upto: int, limit: int) -> list[tuple[int, JournalEntry]]:
        """Return at most `limit` entries about incidents of these kinds in (after, upto], in order, by number.

        Only what figures are made of is filled in: no actor and no policy. Entries with the same body share it.
        """
        bodies: dict[str, Any] = {}
        found = []
        statement = _facts_of(frozenset(kinds))
        for seq, incident, at, via, kind, text_ in fetch(
            self._connection, statement, after=after, upto=upto, limit=limit
        ):
            body = bodies.get(text_)
            if body is None:
                body = bodies[text_] = from_json(text_)
            entry = JournalEntry(incident=incident, at=from_micros(at), actor="", via=Via(via), kind=kind, body=body)
            found.append((seq, entry))
        return found

    def horizon(self) -> Horizon:
        """Return how far numbers go. The transactions are those of this snapshot, the numbers are read after it."""
        oldest, following, seq, revision = self._connection.execute(_horizon).one()
        return Horizon(oldest=oldest, next=following, seq=seq, revision=revision)


@lru_cache(maxsize=4)
def _facts_of(kinds: frozenset[str]) -> Select[Any]:
    columns = (journal.c.seq, journal.c.incident, journal.c.at, journal.c.via, journal.c.kind, journal.c.body)
    return (
        select(*columns)
        .where(
            journal.c.seq > bindparam("after"),
            journal.c.seq <= bindparam("upto"),
            journal.c.incident > literal_column("0"),
            journal.c.kind.in_([word(kind) for kind in sorted(kinds)]),
        )
        .order_by(journal.c.seq)
        .limit(bindparam("limit"))
    )


def _node(row: Any) -> NodeRow:
    return NodeRow(
        id=row.id,
        place=row.place,
        version=row.version,
        started_at=from_micros(row.started_at),
        heartbeat_at=from_micros(row.heartbeat_at),
        lease_until=from_micros(row.lease_until),
        lateness_seconds=row.lateness_ms / 1000,
        chain=row.chain,
    )
