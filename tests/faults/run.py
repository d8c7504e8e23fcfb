"""`make faults`: every fault at full length on the real process; prints a table and writes build/faults.json.

    python -m tests.faults.run [--kills 200] [--seed 1] [--only NAME ...]

Exit 1 when a promise did not hold; the whole run takes about half an hour.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import traceback
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tests.fakes.processes import ROOT
from tests.faults import clocks, disks, dns, eio, kills, nodes, outages, promotion
from tests.faults.proxy import Mode, way_is_bad
from tests.faults.site import Row

TARGET = ROOT / "build" / "faults.json"
FALLBACK_SECONDS_MAX = 20.0
NEXT_METHOD_SECONDS_MAX = 5.0
LOCK_SECONDS = 10.0
# The provider takes its 20 ms, and ten alerts may be in front of one.
NORMAL_SECONDS = 2.0
# A page that a dead node held waits for the end of its lease and a look (promise R5).
ANY_FAULT_SECONDS = 20.0
AWAY_SECONDS = 60.0
EIO_STEP = 13


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One row: what is done, how, and what must hold of its outcome besides that nothing is lost."""

    what: str
    run: Callable[[Path], Coroutine[Any, Any, Row]]
    holds: Callable[[Row], bool] = lambda row: row.duplicated == 0


def page_within(seconds: float) -> Callable[[Row], bool]:
    """Return the promise that nothing is sent twice and every first page leaves in so many seconds."""
    return lambda row: row.duplicated == 0 and row.slowest_page_seconds <= seconds


def faults(times: int, seed: int) -> dict[str, Fault]:
    """Return every fault by name, at full length."""
    found = {
        "kills": Fault(
            what="SIGKILL, the provider can be asked", run=lambda f: kills.kill_again_and_again(f, times, seed)
        ),
        "kills-unasked": Fault(
            what="SIGKILL, the provider cannot be asked",
            run=lambda f: kills.kill_again_and_again(f, max(1, times // 4), seed + 1, can_ask=False),
            holds=lambda row: row.duplicated <= row.begun_again,
        ),
        "points": Fault(
            what="SIGKILL at named points, the provider can be asked",
            run=lambda f: kills.die_at_points(f, (1, 2, 5, 9)),
        ),
        "down": Fault(
            what="killed, started after 10 s", run=lambda f: kills.stay_dead(f, 10), holds=page_within(NORMAL_SECONDS)
        ),
        "sigterm": Fault(what="SIGTERM, the provider cannot be asked", run=lambda f: outages.told_to_stop(f, 20)),
        "sigstop": Fault(
            what="SIGSTOP for 20 s",
            run=lambda f: outages.stopped_and_continued(f, 20),
            holds=page_within(NORMAL_SECONDS),
        ),
        "hang": Fault(
            what="a provider hangs for 60 s",
            run=lambda f: outages.provider_hangs(f, 60),
            holds=page_within(FALLBACK_SECONDS_MAX),
        ),
        "refusal": Fault(
            what="a provider refuses everything for 20 s",
            run=lambda f: outages.provider_refuses(f, 20),
            holds=page_within(NEXT_METHOD_SECONDS_MAX),
        ),
        "refusal-everywhere": Fault(
            what="all providers refuse everything", run=lambda f: outages.everybody_refuses(f, 10)
        ),
        "lock": Fault(
            what="another process locks the database for 10 s",
            run=lambda f: outages.database_is_locked(f, LOCK_SECONDS),
            holds=page_within(LOCK_SECONDS + NORMAL_SECONDS),
        ),
        "failing-writes": Fault(
            what="every write fails for 10 s, the log's too", run=lambda f: disks.writes_are_refused(f, 10)
        ),
        "broken-rules": Fault(
            what="SIGHUP with unusable rules",
            run=lambda f: outages.rules_are_broken(f, 50),
            holds=page_within(NORMAL_SECONDS),
        ),
    }
    found |= several_nodes(times, seed)
    found |= clock_faults() | proxy_faults()
    if promotion.can_copy():
        found["promotion"] = Fault(
            what="the primary dies, its synchronous replica is promoted", run=promotion.replica_is_promoted
        )
    if dns.can_hang():
        for name, known in (("dns", True), ("dns-unknown", False)):
            found[name] = Fault(
                what=f"name lookups hang for 30 s, the address {'was known' if known else 'was never known'}",
                run=partial(dns.names_hang, seconds=30.0, known=known),
            )
    if eio.can_fail():
        found["eio"] = Fault(what="EIO at one write or sync after another", run=lambda f: eio.every_night(f, EIO_STEP))
        found["eio-start"] = Fault(what="EIO while a database is made", run=partial(eio.starts_fail, step=3))
    if disks.can_mount():
        found["full-disk"] = Fault(what="the disk is full for 20 s", run=lambda f: disks.disk_is_full(f, 20))
    return found


def several_nodes(times: int, seed: int) -> dict[str, Fault]:
    """Return the faults of two nodes on one PostgreSQL."""
    return {
        "nodes-kills": Fault(
            what="two nodes, one after the other SIGKILL",
            run=lambda f: nodes.nodes_die(f, max(1, times // 4), seed),
            holds=page_within(ANY_FAULT_SECONDS),
        ),
        "node-dead": Fault(
            what="one of two nodes killed, not started again",
            run=nodes.node_stays_dead,
            holds=page_within(ANY_FAULT_SECONDS),
        ),
        "nodes-sigstop": Fault(
            what="two nodes, one after the other SIGSTOP beyond its lease",
            run=lambda f: nodes.node_is_stopped(f, 6, 14),
            holds=page_within(ANY_FAULT_SECONDS),
        ),
        "nodes-partition": Fault(
            what="two nodes, one after the other cut off from the database",
            run=lambda f: nodes.node_is_cut_off(f, 6, 14),
            holds=page_within(ANY_FAULT_SECONDS),
        ),
        "postgres-crash": Fault(
            what="two nodes, PostgreSQL ends at once and comes back",
            run=lambda f: nodes.database_crashes(f, 3),
            holds=page_within(ANY_FAULT_SECONDS),
        ),
        "postgres-away": Fault(
            what="two nodes, PostgreSQL away for 60 s",
            run=lambda f: nodes.database_is_away(f, AWAY_SECONDS),
            holds=page_within(AWAY_SECONDS + ANY_FAULT_SECONDS),
        ),
    }


def clock_faults() -> dict[str, Fault]:
    """Return what is done to the clock; each asserts that no step is early by more than 1 s, or late by more than 2."""
    found = {
        "suspend": Fault(
            what="the machine is suspended for 3 h", run=lambda f: clocks.machine_sleeps(f, 3 * clocks.HOUR)
        )
    }
    if clocks.can_fake():
        steps = {
            "clock-hours": ("3 h", clocks.STEPS),
            "clock-days": ("a day", clocks.DAYS),
            "clock-leap": ("a second", clocks.LEAP),
            "clock-2038": ("the year 2038", clocks.to_2038()),
        }
        for name, (far, several) in steps.items():
            found[name] = Fault(
                what=f"the clock is set by {far}, forth and back", run=partial(clocks.clock_is_set, steps=several)
            )
        found["clock-stopped"] = Fault(
            what="SIGSTOP for 8 s, the clock set by 3 h meanwhile",
            run=partial(clocks.clock_is_set, steps=clocks.STEPS, stopped_seconds=8.0),
        )
    return found


def proxy_faults() -> dict[str, Fault]:
    """Return what goes wrong on the way to a provider; each asserts that the other channel is as fast as before."""
    what = {
        Mode.HANG: "takes requests and answers nothing",
        Mode.DRIP: "lets answers through at a byte a second",
        Mode.RESET: "resets answers in the middle",
        Mode.CUT: "cuts off answers to what the provider took",
        Mode.SLOW: "holds requests for 4 s",
        Mode.GARBAGE: "answers garbage",
    }
    return {
        f"proxy-{mode}": Fault(
            what=f"a proxy before a provider {does}, for 30 s",
            run=partial(way_is_bad, mode=mode, seconds=30.0),
            holds=page_within(FALLBACK_SECONDS_MAX),
        )
        for mode, does in what.items()
    }


def attempt(name: str, fault: Fault) -> tuple[Row | None, bool]:
    """Run one fault in a folder of its own; return its row (None when it broke off) and whether its promise held."""
    say(f"{name} …")
    with tempfile.TemporaryDirectory(prefix="escalatord-fault-") as folder:
        try:
            row = asyncio.run(fault.run(Path(folder)))
        except Exception:  # noqa: BLE001 - a fault that breaks off must not hide what the others come to
            traceback.print_exc()
            return None, False
    held = row.lost == 0 and fault.holds(row)
    say(f"  {'held  ' if held else 'BROKEN'} {row.as_json()}")
    return row, held


def table(rows: Mapping[str, Row], known: Mapping[str, Fault]) -> str:
    """Return the rows as a Markdown table, the one of docs/reliability.md."""
    lines = [
        "| `--only` | fault | how many | alerts | pages | begun again | lost | duplicated | slowest page | besides |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|---|",
    ]
    lines += [
        f"| {name} | {known[name].what} | {row.count} | {row.alerts} | {row.pages} | {row.begun_again}"
        f" | {row.lost} | {row.duplicated} | {row.slowest_page_seconds:.2f} s | {row.note} |"
        for name, row in rows.items()
    ]
    return "\n".join(lines)


def say(text: str) -> None:
    """Print a line now, also into a pipe."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> int:
    """Run the faults; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200, help="how often the daemon is killed")
    parser.add_argument("--seed", type=int, default=1, help="when it is killed")
    parser.add_argument("--only", action="append", default=[], help="one fault by its name; may repeat")
    chosen = parser.parse_args()
    known = faults(chosen.kills, chosen.seed)
    if unknown := set(chosen.only) - known.keys():
        parser.error(f"no such fault: {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    rows: dict[str, Row] = {}
    all_held = True
    for name in chosen.only or known:
        row, held = attempt(name, known[name])
        all_held = all_held and held
        if row is not None:
            rows[name] = row
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(json.dumps({name: row.as_json() for name, row in rows.items()}, indent=2) + "\n")
    say(f"\n{table(rows, known)}\n\nwritten to {TARGET.relative_to(ROOT)}")
    return 0 if all_held else 1


if __name__ == "__main__":
    sys.exit(main())
