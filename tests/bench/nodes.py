"""Two nodes on one PostgreSQL beside one: whether they get in each other's way.

Each webhook opens an incident. What is compared is what a second of the nodes' own CPU time commits: nodes that wait
for each other's locks, decide again because the other one was faster, or read what it wrote, commit less of it.

All nodes run on one core, and two programs on one core get less out of it than one. So two nodes are also measured
beside each other with a database each, where they have nothing to do with one another; and where `perf` can be had,
instructions are counted, which do not depend on who else is on the machine.
"""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from tests.bench import processes
from tests.bench.figures import Figure, Samples
from tests.bench.processes import Process
from tests.bench.rules import rules
from tests.fakes.postgres import Server, server

PROVIDER_SECONDS = 3.0
WARM_SECONDS = 0.5
FAR_APART = 10**12
GIGA = 10**9
ONE, TWO, APART = "one node on PostgreSQL", "two nodes on one PostgreSQL", "two nodes with a PostgreSQL each"


def measure(rounds: int, seconds: float) -> list[Figure]:
    """Return webhooks per second, and per second of the nodes' CPU time, of one node and of two."""
    samples = Samples()
    with server() as postgres:
        for _ in range(rounds):
            for name in (ONE, TWO, APART):
                _sample(samples, postgres, name, seconds)
    work = [
        _named(samples.figure(f"{TWO}, work", "webhooks/G instructions", f"{other}, work"), f"{TWO}, {of}")
        for other, of in ((ONE, "of the instructions of one"), (APART, "of the instructions of two apart"))
        if f"{TWO}, work" in samples.values
    ]
    return [
        samples.figure(ONE, "webhooks/s"),
        _named(samples.figure(f"{ONE}, CPU", "webhooks/CPU s"), f"{ONE}, of a second of its CPU time"),
        samples.figure(TWO, "webhooks/s", ONE),
        _named(
            samples.figure(f"{TWO}, CPU", "webhooks/CPU s", f"{APART}, CPU"),
            f"{TWO}, of a second of their CPU time (ceiling: a database each)",
        ),
        *work,
    ]


def _sample(samples: Samples, postgres: Server, name: str, seconds: float) -> None:
    count, url = 1 if name == ONE else 2, postgres.make_schema()
    with ExitStack() as stack:
        port = processes.free_port()
        stack.enter_context(processes.sink(port, delay_seconds=PROVIDER_SECONDS))
        nodes: list[Process] = []
        for _ in range(count):
            folder = stack.enter_context(processes.folder())
            nodes.append(stack.enter_context(processes.escalatord(rules(port), folder, "--storage.url", url)))
            url = postgres.make_schema() if name == APART else url
        with ThreadPoolExecutor(count) as pool:

            def load(place: int, part: int, lasting: float) -> int:
                base = FAR_APART * (2 * place + part + 1)
                return int(processes.load(nodes[place].port, alerts=1, base=base, seconds=lasting)["requests"])

            list(pool.map(lambda place: load(place, 0, WARM_SECONDS), range(count)))
            before = sum(node.cpu_seconds for node in nodes)
            with processes.instructions(nodes) as spent:
                requests = sum(pool.map(lambda place: load(place, 1, seconds), range(count)))
                used = sum(node.cpu_seconds for node in nodes) - before
    samples.add(name, requests / seconds)
    samples.add(f"{name}, CPU", requests / used)
    if spent:
        samples.add(f"{name}, work", requests / sum(spent) * GIGA)


def _named(figure: Figure, name: str) -> Figure:
    return Figure(name=name, value=figure.value, unit=figure.unit, ceiling=figure.ceiling)
