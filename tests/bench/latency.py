"""From an alert to the first call of a provider, through the `webhook` channel to a sink, at three rates.

Ceiling: the same alert received and posted on by bare aiohttp, nothing kept.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.bench import processes
from tests.bench.figures import Figure
from tests.bench.rules import rules
from tests.bench.tools.histogram import Histogram

RATES = (5, 100, 1000)
WARM_PER_SECOND = 50
WAIT_SECONDS = 10.0


def measure(rounds: int, seconds: float) -> list[Figure]:
    """Return p50 and p99 in milliseconds at each rate; samples of all rounds count together."""
    late: dict[tuple[str, int], Histogram] = {}
    lost = 0
    for _ in range(rounds):
        for rate in RATES:
            for name in ("bare", "escalatord"):
                with _under_test(name) as (sink, port):
                    histogram, missing = _latencies(sink, port, rate, seconds)
                late.setdefault((name, rate), Histogram()).merge(histogram)
                lost += missing if name == "escalatord" else 0
    figures = [
        Figure(
            name=f"alert to first provider call, {rate}/s, p{round(share * 100)}",
            value=late["escalatord", rate].quantile(share) / 1e3,
            unit="ms",
            ceiling=late["bare", rate].quantile(share) / 1e3,
        )
        for rate in RATES
        for share in (0.5, 0.99)
    ]
    return [*figures, Figure(name="alerts whose page did not come within 10 s of the last", value=lost, unit="alerts")]


@contextmanager
def _under_test(name: str) -> Iterator[tuple[processes.SinkProcess, int]]:
    sink_port = processes.free_port()
    with processes.sink(sink_port) as sink:
        if name == "bare":
            with processes.bare(forward=sink_port) as process:
                yield sink, process.port
        else:
            with processes.folder() as path, processes.escalatord(rules(sink_port), path) as process:
                yield sink, process.port


def _latencies(sink: processes.SinkProcess, port: int, rate: int, seconds: float) -> tuple[Histogram, int]:
    """Return the latencies of one load, in microseconds, and how many alerts were never told."""
    warm = processes.load(port, base=10**12, seconds=1.0, per_second=WARM_PER_SECOND)
    sink.wait_for(warm["alerts"], WAIT_SECONDS)
    sink.reset()
    sent = processes.load(port, seconds=seconds, per_second=rate)
    stats = sink.wait_for(sent["alerts"], WAIT_SECONDS)
    return Histogram.from_json(stats["late_us"]), sent["alerts"] - stats["distinct"]
