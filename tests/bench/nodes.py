"""Two nodes on one PostgreSQL beside one: whether they get in each other's way.

Each webhook opens an incident. What is compared is what a second of the nodes' own CPU time commits: nodes that wait
for each other's locks, or decide again because the other one was faster, would commit less of it.
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
ONE, TWO = "one node on PostgreSQL", "two nodes on one PostgreSQL"


def measure(rounds: int, seconds: float) -> list[Figure]:
    """Return webhooks per second, and per second of the nodes' CPU time, of one node and of two."""
    samples = Samples()
    with server() as postgres:
        for _ in range(rounds):
            for count, name in ((1, ONE), (2, TWO)):
                _sample(samples, postgres, count, name, seconds)
    return [
        samples.figure(ONE, "webhooks/s"),
        _named(samples.figure(f"{ONE}, CPU", "webhooks/CPU s"), f"{ONE}, of a second of its CPU time"),
        samples.figure(TWO, "webhooks/s", ONE),
        _named(
            samples.figure(f"{TWO}, CPU", "webhooks/CPU s", f"{ONE}, CPU"),
            f"{TWO}, of a second of their CPU time (no lock convoy)",
        ),
    ]


def _sample(samples: Samples, postgres: Server, count: int, name: str, seconds: float) -> None:
    url = postgres.make_schema()
    with ExitStack() as stack:
        port = processes.free_port()
        stack.enter_context(processes.sink(port, delay_seconds=PROVIDER_SECONDS))
        nodes: list[Process] = []
        for _ in range(count):
            folder = stack.enter_context(processes.folder())
            nodes.append(stack.enter_context(processes.escalatord(rules(port), folder, "--storage.url", url)))
        with ThreadPoolExecutor(count) as pool:

            def load(place: int, part: int, lasting: float) -> int:
                base = FAR_APART * (2 * place + part + 1)
                return int(processes.load(nodes[place].port, alerts=1, base=base, seconds=lasting)["requests"])

            list(pool.map(lambda place: load(place, 0, WARM_SECONDS), range(count)))
            before = sum(node.cpu_seconds for node in nodes)
            requests = sum(pool.map(lambda place: load(place, 1, seconds), range(count)))
            used = sum(node.cpu_seconds for node in nodes) - before
    samples.add(name, requests / seconds)
    samples.add(f"{name}, CPU", requests / used)


def _named(figure: Figure, name: str) -> Figure:
    return Figure(name=name, value=figure.value, unit=figure.unit, ceiling=figure.ceiling)
