"""The processes of a benchmark: the program under test alone on CPU 0, everything else on CPU 1.

Both are ends of loopback connections. Each process gets a folder and a port of its own and ends with the block.
"""

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
CPU_UNDER_TEST = 0
CPU_OF_CLIENTS = 1
READY_SECONDS_MAX = 30.0
POLL_SECONDS = 0.005
STOP_SECONDS_MAX = 15.0
LOAD_SECONDS_MAX = 120.0
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
ALERTMANAGER_CONFIG = """\
route: {receiver: nobody, group_by: ["..."], group_wait: 0s, group_interval: 1s, repeat_interval: 4h}
receivers: [{name: nobody}]
"""


class Process:
    """A process pinned to one CPU, with what it said in a file."""

    def __init__(self, arguments: list[str], cpu: int, folder: Path, program: str = sys.executable) -> None:
        self._log = folder / "said"
        self.port = 0
        with self._log.open("ab") as said:
            self._process = subprocess.Popen(
                [*pinned(cpu), program, *arguments], cwd=ROOT, stdout=said, stderr=subprocess.STDOUT
            )

    @property
    def number(self) -> int:
        """Return the process's id."""
        return self._process.pid

    @property
    def resident_bytes(self) -> int:
        """Return how much memory it holds."""
        return int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1]) * PAGE_BYTES

    @property
    def cpu_seconds(self) -> float:
        """Return how much CPU time it has used."""
        ticks = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
        return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")

    def wait_until_it_answers(self, path: str) -> None:
        """Wait for a 2xx (any answer when `path` is "/"); RuntimeError with what it said when it does not come."""
        for _ in range(round(READY_SECONDS_MAX / POLL_SECONDS)):
            if self._process.poll() is not None:
                break
            with contextlib.suppress(OSError, http.client.HTTPException):
                if self.get(path)[0] < 300 or path == "/":
                    return
            time.sleep(POLL_SECONDS)
        raise RuntimeError(f"not ready:\n{self._log.read_text(errors='replace')[-2000:]}")

    def get(self, path: str) -> tuple[int, bytes]:
        """Return status and body of a GET."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def kill(self) -> None:
        """End it without a word of warning."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """End it politely, then impolitely."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                self.kill()


def pinned(cpu: int) -> list[str]:
    """Return the words before a command that keep it on one CPU; none where that cannot be had."""
    allowed = os.sched_getaffinity(0)
    return ["taskset", "-c", str(cpu)] if shutil.which("taskset") and cpu in allowed else []


@contextlib.contextmanager
def instructions(running: Sequence[Process]) -> Iterator[list[float]]:
    """Give a list that holds after the block how many instructions these processes ran in it; empty without `perf`."""
    found: list[float] = []
    program = shutil.which("perf")
    if program is None:
        yield found
        return
    with tempfile.TemporaryDirectory() as told:
        path = Path(told) / "perf"
        numbers = ",".join(str(process.number) for process in running)
        counting = subprocess.Popen([program, "stat", "-x,", "-e", "instructions:u", "-p", numbers, "-o", path])
        try:
            yield found
        finally:
            counting.send_signal(signal.SIGINT)
            counting.wait(STOP_SECONDS_MAX)
        counted = [line.split(",")[0] for line in path.read_text().splitlines() if "instructions" in line]
        found += [float(count) for count in counted if count.isdigit()]


def free_port() -> int:
    """Return a loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """Give a folder below build/ that ends with the block."""
    (ROOT / "build").mkdir(exist_ok=True)
    path = Path(tempfile.mkdtemp(prefix="bench-", dir=ROOT / "build"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def bare(*, commit: bool = False, forward: int = 0) -> Iterator[Process]:
    """Run the least that takes webhooks in; see `tools.bare`."""
    with folder() as path:
        port = free_port()
        arguments = ["-m", "tests.bench.tools.bare", "--port", str(port), "--forward", str(forward)]
        arguments += ["--database", str(path / "bare.db")] if commit else []
        with _running(arguments, CPU_UNDER_TEST, path, port, "/") as process:
            yield process


@contextlib.contextmanager
def escalatord(rules: str, path: Path, *more: str) -> Iterator[Process]:
    """Run the daemon with these rules and a database in `path`, until it is ready."""
    (path / "rules").mkdir(exist_ok=True)
    (path / "rules" / "all.yaml").write_text(rules)
    port = free_port()
    arguments = ["-m", "escalatord", "serve", "--rules", str(path / "rules"), "--log.level", "error"]
    arguments += ["--storage.url", f"sqlite:///{path}/escalatord.db", "--web.listen-address", f"127.0.0.1:{port}"]
    with _running([*arguments, *more], CPU_UNDER_TEST, path, port, "/-/ready") as process:
        yield process


@contextlib.contextmanager
def alertmanager(program: str) -> Iterator[Process]:
    """Run Alertmanager with a group for each alert, as paging needs it, and nobody to notify: it only takes in."""
    with folder() as path:
        port = free_port()
        (path / "alertmanager.yml").write_text(ALERTMANAGER_CONFIG)
        arguments = [f"--config.file={path}/alertmanager.yml", f"--storage.path={path}/data", "--log.level=error"]
        arguments += [f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="]
        with _running(arguments, CPU_UNDER_TEST, path, port, "/-/ready", program) as process:
            yield process


@contextlib.contextmanager
def sink(port: int, *, delay_seconds: float = 0.0) -> Iterator["SinkProcess"]:
    """Run a place for notifications."""
    with folder() as path:
        arguments = ["-m", "tests.bench.tools.sink", "--port", str(port), "--delay-seconds", str(delay_seconds)]
        process = SinkProcess(arguments, CPU_OF_CLIENTS, path)
        process.port = port
        try:
            process.wait_until_it_answers("/stats")
            yield process
        finally:
            process.stop()


class SinkProcess(Process):
    """The sink, and what it saw."""

    def stats(self) -> dict[str, Any]:
        """Return its figures."""
        found: dict[str, Any] = json.loads(self.get("/stats")[1])
        return found

    def reset(self) -> None:
        """Let it forget."""
        self.get("/reset")

    def wait_for(self, distinct: int, seconds: float) -> dict[str, Any]:
        """Wait until so many alerts were told, or the time is up; return the figures."""
        end = time.monotonic() + seconds
        while (stats := self.stats())["distinct"] < distinct and time.monotonic() < end:
            time.sleep(0.05)
        return stats


def load(port: int, **options: object) -> dict[str, Any]:
    """Run the load generator to its end and return what it measured; RuntimeError when nothing was taken."""
    arguments = []
    for name, value in options.items():
        word = f"--{name.replace('_', '-')}"
        arguments += [word] if value is True else [word, str(value)]
    command = [*pinned(CPU_OF_CLIENTS), sys.executable, "-m", "tests.bench.tools.load", "--port", str(port), *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=LOAD_SECONDS_MAX, check=True)
    result: dict[str, Any] = json.loads(done.stdout)
    bad = {status: times for status, times in result["statuses"].items() if not status.startswith("2")}
    if bad or result["errors"] or not result["requests"]:
        raise RuntimeError(f"the load was not taken: {bad or 'no answer'}, {result['errors']} errors")
    return result


@contextlib.contextmanager
def _running(
    arguments: list[str], cpu: int, path: Path, port: int, ready: str, program: str = sys.executable
) -> Iterator[Process]:
    process = Process(arguments, cpu, path, program)
    process.port = port
    try:
        process.wait_until_it_answers(ready)
        yield process
    finally:
        process.stop()
