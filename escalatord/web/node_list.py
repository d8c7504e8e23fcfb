"""The nodes that share the database, for the API, the board and the command line."""

from collections.abc import Iterable
from datetime import datetime

from escalatord.core.units import format_duration
from escalatord.store.rows import NodeRow


def node_list(own: str, nodes: Iterable[NodeRow], now: datetime) -> list[dict[str, object]]:
    """Return one object per node: who it is, whether it lives, and how late it works. A process alone gives none."""
    return [
        {
            "id": node.id,
            "here": node.id == own,
            "alive": node.lease_until >= now,
            "version": node.version,
            "started_at": node.started_at,
            "heartbeat_at": node.heartbeat_at,
            "lateness_seconds": node.lateness_seconds,
        }
        for node in nodes
    ]


def node_lines(own: str, nodes: Iterable[NodeRow], now: datetime) -> list[tuple[str, bool, str]]:
    """Return (id, whether it lives, a sentence) for each node."""
    return [(node.id, node.lease_until >= now, _say(node, own, now)) for node in nodes]


def _say(node: NodeRow, own: str, now: datetime) -> str:
    if node.lease_until < now:
        return f"no sign of life for {format_duration(float(round((now - node.heartbeat_at).total_seconds())))}"
    late = f"deadlines {node.lateness_seconds:.1f} s late" if node.lateness_seconds >= 1 else "on time"
    return f"{late}, {node.version}{', this one' if node.id == own else ''}"
