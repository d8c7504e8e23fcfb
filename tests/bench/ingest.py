"""Webhooks per second, durably committed: each alert a new incident, and repeats of what is known.

Ceilings: a bare aiohttp handler with the same parser, and the same with a bare group commit of one row per alert; and
where Debian's Alertmanager is there, what it takes in (in memory, through its own API, a group for each alert). The
provider behind the only channel is slow (an answer takes seconds), as a provider of texts is in a storm: what is
measured is taking in, beside the little sending that such a lane does.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from statistics import median

from tests.bench import processes
from tests.bench.figures import Figure, Samples
from tests.bench.processes import Process
from tests.bench.rules import rules
from tests.fakes.processes import find_program

ALERTS = (1, 10, 100)
PROVIDER_SECONDS = 3.0
WARM_SECONDS = 0.5
REPEATED_BODIES = 16


def measure(rounds: int, seconds: float) -> list[Figure]:
    """Return webhooks/s and CPU time for 1, 10 and 100 alerts per webhook."""
    samples = Samples()
    program = find_program("prometheus-alertmanager") or ""
    for place in range(rounds):
        with _room() as room:
            names = list(room)
            for alerts in ALERTS:
                # every round begins with another of them: what the machine does meanwhile hits each in turn
                for name in names[place % len(names) :] + names[: place % len(names)]:
                    _sample(samples, room[name], f"{name}, {alerts}", seconds)
        # never beside the others: its groups keep it busy long after the last alert
        for alerts in ALERTS if program else ():
            with processes.alertmanager(program) as peer:
                _sample(samples, peer, f"Alertmanager, {alerts}", seconds)
    return [figure for alerts in ALERTS for figure in _figures(samples, alerts)]


def _figures(samples: Samples, alerts: int) -> list[Figure]:
    """Return what one size of body came to."""
    body = "1 alert per webhook" if alerts == 1 else f"{alerts} alerts per webhook"
    figures = []
    for name in ("new incidents", "repeats"):
        for wall in ("bare handler", "bare commit"):
            found = samples.figure(f"{name}, {alerts}", "webhooks/s", f"{wall}, {alerts}")
            figures.append(_named(found, f"{name}, {body}, beside a {wall}"))
        found = samples.figure(f"{name}, {alerts}, CPU", "µs/webhook", f"bare handler, {alerts}, CPU")
        figures.append(_named(found, f"CPU time: {name}, {body}, beside a bare handler"))
    peer = samples.values.get(f"Alertmanager, {alerts}")
    figures.append(
        Figure(
            name=f"alerts that each open an incident, {body}" + (", beside Alertmanager" if peer else ""),
            value=samples.figure(f"new incidents, {alerts}", "").value * alerts,
            unit="alerts/s",
            ceiling=median(peer) * alerts if peer else None,
        )
    )
    return figures


@contextmanager
def _room() -> Iterator[dict[str, Process]]:
    """Start everything that is measured."""
    with ExitStack() as stack:
        sink_port = processes.free_port()
        stack.enter_context(processes.sink(sink_port, delay_seconds=PROVIDER_SECONDS))
        daemon = stack.enter_context(processes.escalatord(rules(sink_port), stack.enter_context(processes.folder())))
        yield {
            "bare handler": stack.enter_context(processes.bare()),
            "bare commit": stack.enter_context(processes.bare(commit=True)),
            "new incidents": daemon,
            "repeats": daemon,
        }


def _sample(samples: Samples, process: Process, name: str, seconds: float) -> None:
    """Add webhooks per second and CPU time per webhook; what repeats is made known before."""
    kind, alerts = name.split(", ")
    base = int(alerts) * 10**9
    options: dict[str, object] = {"alerts": alerts, "base": base}
    if kind == "Alertmanager":
        options |= {"path": "/api/v2/alerts", "posted": True}
    warm = options | {"base": base + 10**8}
    if kind == "repeats":
        options = warm = {"alerts": alerts, "base": base + 10**12, "cycle": REPEATED_BODIES}
        processes.load(process.port, requests=REPEATED_BODIES, seconds=seconds + 10, **options)
    processes.load(process.port, seconds=WARM_SECONDS, **warm)
    before = process.cpu_seconds
    result = processes.load(process.port, seconds=seconds, **options)
    samples.add(name, float(result["per_second"]))
    samples.add(f"{name}, CPU", (process.cpu_seconds - before) / result["requests"] * 1e6)


def _named(figure: Figure, name: str) -> Figure:
    return Figure(name=name, value=figure.value, unit=figure.unit, ceiling=figure.ceiling)
