"""`escalatord status`: one screen for the question "is everything all right?"."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

from escalatord.cli import output
from escalatord.cli.client import Client, NegativeError, with_client
from escalatord.cli.incident import SEVERITIES, listed
from escalatord.cli.oncall import duty
from escalatord.core.units import format_duration

OPEN_SHOWN_MAX = 10
OVERDUE_SECONDS_MAX = 5.0


@click.command()
@with_client
def status(client: Client, as_json: bool) -> None:
    """Show on one screen how escalatord is, what is open, and who is on call. Exit 1 when it is not healthy."""
    found = dict(client.get("/api/v1/status"))
    found["oncall"] = client.get("/api/v1/oncall")["schedules"]
    found["incidents"] = client.get("/api/v1/incidents", {"state": "active", "limit": str(OPEN_SHOWN_MAX)})["incidents"]
    if as_json:
        output.say_json(found)
    else:
        output.say(screen(found))
    if not (found["healthy"] and found["ready"]):
        raise SystemExit(NegativeError.exit_code)


def screen(found: Mapping[str, Any]) -> Iterator[str]:
    """Yield the screen."""
    health = "paging" if found["healthy"] and found["ready"] else "NOT HEALTHY" if found["ready"] else "NOT READY"
    head = f"escalatord {found['version']}  {health}  rules {found['rules']}"
    yield output.clean(f"{head}  {output.clock(found['at'], day=True)}", output.COLUMNS_MAX)
    if found.get("degraded"):
        since, count = found["degraded"]["since"], found["degraded"]["incidents"]
        say = f"AWAY since {output.clock(since, day=True)}; {count} open incidents are paged for from memory"
        yield from output.section("database", [f"{say}; senders get 503"])
    down = [name for name, up in sorted(found["channels"].items()) if not up]
    fine = [name for name, up in sorted(found["channels"].items()) if up]
    yield from output.section("channels down", [", ".join(down)] if down else [])
    yield from output.section("channels up", [", ".join(fine) or "none"])
    if found["overdue_seconds"] > OVERDUE_SECONDS_MAX:
        yield from output.section("late", [f"deadlines by {format_duration(found['overdue_seconds'])}"])
    yield from output.section("open", [_counted(found)])
    for line in listed(found["incidents"]):
        yield output.cut(f"  {line}", output.COLUMNS_MAX)
    more = found["unacknowledged"] + found["acknowledged"] - len(found["incidents"])
    if more > 0:
        yield f"  … and {more} more: escalatord ls --state active"
    yield from _nodes(found.get("nodes", []))
    yield "on call"
    yield from duty(found["oncall"])


def _nodes(nodes: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield a line for each node that shares the database; none when the daemon is alone with its own."""
    if nodes:
        yield "nodes"
    for node in nodes:
        late = f"deadlines {node['lateness_seconds']:.1f} s late" if node["lateness_seconds"] >= 1 else "on time"
        state = late if node["alive"] else "NO SIGN OF LIFE"
        yield output.cut(f"  {output.clean(node['id'], 48)}  {state}  {node['version']}", output.COLUMNS_MAX)


def _counted(found: Mapping[str, Any]) -> str:
    """Return how many are open: `2 unacknowledged, 1 acknowledged (critical 2, warning 1)`."""
    if not found["unacknowledged"] + found["acknowledged"]:
        return "nothing"
    by: dict[str, int] = {}
    for row in found["open"]:
        by[row["severity"]] = by.get(row["severity"], 0) + row["count"]
    worst_first = [f"{severity} {by[severity]}" for severity in SEVERITIES if by.get(severity)]
    return f"{found['unacknowledged']} unacknowledged, {found['acknowledged']} acknowledged ({', '.join(worst_first)})"
