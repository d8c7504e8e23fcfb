"""Real processes for tests: the daemon and its peers, each on a free loopback port, each ended with the test."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
UNPACKED = ROOT / "build" / "debian" / "usr" / "bin"
POLL_SECONDS = 0.05


def free_port() -> int:
    """Return a loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def find_program(name: str) -> str | None:
    """Return the path of a program: installed, or unpacked by the CI script below build/debian."""
    return shutil.which(name) or (str(UNPACKED / name) if (UNPACKED / name).exists() else None)


def wait_until(what: str, probe: Callable[[], Any], seconds: float = 30.0) -> Any:
    """Ask until the answer is true and return it; AssertionError with `what` when it never is."""
    pause = threading.Event()
    for _ in range(int(seconds / POLL_SECONDS)):
        with contextlib.suppress(OSError, KeyError, IndexError, ValueError):
            found = probe()
            if found:
                return found
        pause.wait(POLL_SECONDS)
    raise AssertionError(f"not within {seconds:g} s: {what}")


def call(url: str, body: object = None, *, token: str = "", method: str = "") -> Any:
    """GET, or POST JSON, and return the parsed answer (text when it is no JSON); HTTPError for 4xx and 5xx."""
    content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    request = urllib.request.Request(url, data=content, headers=headers, method=method or None)  # noqa: S310 - loopback
    with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310 - loopback
        text = response.read().decode()
    try:
        return json.loads(text)
    except ValueError:
        return text


class Running:
    """A process whose output is kept in a file for the failure report."""

    def __init__(self, name: str, command: list[str], folder: Path, **environ: str) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                command, stdout=out, stderr=subprocess.STDOUT, env={**os.environ, **environ}, cwd=folder
            )

    def kill(self) -> None:
        """End it as a power cut of the process would: no chance to say goodbye."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        """End it politely, impolitely after 15 s; return the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.kill()
        return int(self.process.returncode)

    def tail(self, characters: int = 3000) -> str:
        """Return the end of what it said."""
        return self.log.read_text(errors="replace")[-characters:]


class Daemon:
    """The real daemon on a port of its own; can be killed and started again.

    Its database is a file in `folder`, or the one at `storage`, which others may share.
    """

    def __init__(self, folder: Path, rules: Path, *arguments: str, port: int = 0, storage: str = "") -> None:
        self.folder = folder
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.database = folder / "escalatord.db"
        self._command = [
            sys.executable,
            "-m",
            "escalatord",
            "serve",
            "--rules",
            str(rules),
            "--storage.url",
            storage or f"sqlite:///{self.database}",
            "--web.listen-address",
            f"127.0.0.1:{self.port}",
            "--web.external-url",
            self.url,
            *arguments,
        ]
        self.running: Running | None = None

    def start(self, seconds: float = 30.0) -> "Daemon":
        """Start it and wait until it is ready."""
        self.running = Running("escalatord", self._command, self.folder, PYTHONPATH=str(ROOT))

        def ready() -> bool:
            assert self.running is not None
            if self.running.process.poll() is not None:
                raise AssertionError(f"the daemon ended at its start:\n{self.running.tail()}")
            with contextlib.suppress(urllib.error.HTTPError):
                call(f"{self.url}/-/ready")
                return True
            return False

        wait_until("the daemon is ready", ready, seconds)
        return self

    def kill(self) -> None:
        """Kill it without warning."""
        assert self.running is not None
        self.running.kill()

    def stop(self) -> int:
        """End it politely; return its exit code."""
        return self.running.stop() if self.running else 0

    def incidents(self) -> list[dict[str, Any]]:
        """Return what the API lists."""
        return list(call(f"{self.url}/api/v1/incidents")["incidents"])

    def messages(self, person: str) -> list[dict[str, Any]]:
        """Return what a simulated person was told."""
        return list(call(f"{self.url}/api/v1/sim/messages?person={person}")["messages"])

    def answer(self, person: str, channel: str, **what: str) -> dict[str, Any]:
        """Answer as a simulated person."""
        return dict(call(f"{self.url}/api/v1/sim/answer", {"person": person, "channel": channel, **what}))


@contextlib.contextmanager
def ended(*processes: Running | Daemon) -> Iterator[None]:
    """End processes with the block, whatever happens in it."""
    try:
        yield
    finally:
        for process in processes:
            process.stop()
