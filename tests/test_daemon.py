"""The daemon as a service manager and a Prometheus see it: ready, alive, reloading, refusing, stopping."""

import shutil
import signal
import socket
import time
import urllib.error
from collections.abc import Iterator
from pathlib import Path

import pytest

from escalatord.engine.auditor import AUDIT_EVERY_SECONDS
from tests.fakes.processes import ROOT, Daemon, call, ended, wait_until


class NotifySocket:
    """The service manager's end of the notify socket."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._wire = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._wire.bind(str(path))
        self._wire.settimeout(20)
        self.heard: list[str] = []

    def until(self, word: str) -> str:
        """Listen until a message holds `word` and return it."""
        while True:
            self.heard.append(self._wire.recv(4096).decode())
            if word in self.heard[-1]:
                return self.heard[-1]

    def close(self) -> None:
        """Let go of the socket."""
        self._wire.close()


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """Return a copy of the shipped rules that a test may spoil."""
    shutil.copytree(ROOT / "rules", tmp_path / "rules")
    return tmp_path / "rules"


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[NotifySocket]:
    """Return a listening notify socket."""
    found = NotifySocket(tmp_path / "notify")
    yield found
    found.close()


def hurt(rules: Path) -> None:
    """Break the rules so that they must be refused."""
    (rules / "broken.yaml").write_text("policies: {x: {tracks: {}}}\n")


def test_a_service_manager_hears_ready_alive_reloading_and_stopping(
    rules: Path, tmp_path: Path, manager: NotifySocket, monkeypatch: pytest.MonkeyPatch
):
    """READY=1 after the start, WATCHDOG=1 from the first audit, RELOADING=1 with its instant on SIGHUP, STOPPING=1."""
    monkeypatch.setenv("NOTIFY_SOCKET", str(manager.path))
    monkeypatch.setenv("WATCHDOG_USEC", "3000000")
    daemon = Daemon(tmp_path, rules)
    with ended(daemon):
        daemon.start()
        assert "paging with rules" in manager.until("READY=1")
        first = time.monotonic()
        for _ in range(3):
            manager.until("WATCHDOG=1")
        assert time.monotonic() - first < AUDIT_EVERY_SECONDS, "as often as the manager wants it, not as usual"
        assert daemon.running is not None
        daemon.running.process.send_signal(signal.SIGHUP)
        assert "MONOTONIC_USEC=" in manager.until("RELOADING=1")
        manager.until("READY=1")
        daemon.running.process.send_signal(signal.SIGTERM)
        manager.until("STOPPING=1")
        assert daemon.running.process.wait(15) == 0


def test_bad_rules_are_refused_and_the_old_ones_stay(rules: Path, tmp_path: Path):
    """SIGHUP and POST /-/reload with broken files answer with the findings; metric 0, paging goes on, then 1 again."""
    daemon = Daemon(tmp_path, rules, "--web.enable-lifecycle")
    with ended(daemon):
        daemon.start()
        before = _metric(daemon, "escalatord_config_info")
        hurt(rules)
        with pytest.raises(urllib.error.HTTPError) as refused:
            call(f"{daemon.url}/-/reload", b"", method="POST")
        assert refused.value.code == 500
        assert "broken.yaml:1" in refused.value.read().decode()
        assert _metric(daemon, "escalatord_config_last_reload_successful").endswith(" 0.0")
        assert _metric(daemon, "escalatord_config_info") == before
        body = (rules / "payloads" / "checkout-5xx.json").read_bytes()
        assert call(f"{daemon.url}/in/alertmanager", body)["accepted"][0]["incident"] == 1
        (rules / "broken.yaml").unlink()
        assert daemon.running is not None
        daemon.running.process.send_signal(signal.SIGHUP)
        wait_until(
            "the good rules are loaded",
            lambda: _metric(daemon, "escalatord_config_last_reload_successful").endswith(" 1.0"),
        )


def test_rules_that_cannot_be_used_stop_the_start_with_their_findings(rules: Path, tmp_path: Path):
    """A daemon that would page nobody does not start: exit code 3 and file:line:column of every mistake."""
    hurt(rules)
    daemon = Daemon(tmp_path, rules)
    with ended(daemon), pytest.raises(AssertionError, match="ended at its start") as refused:
        daemon.start()
    assert "broken.yaml:1:" in str(refused.value)
    assert daemon.running is not None
    assert daemon.running.process.returncode == 3


def test_a_second_daemon_on_the_same_database_does_not_start(rules: Path, tmp_path: Path):
    """SQLite is exactly one process: the second one says so and leaves the first alone."""
    first = Daemon(tmp_path, rules)
    second = Daemon(tmp_path, rules)
    with ended(first, second):
        first.start()
        with pytest.raises(AssertionError, match="SQLite serves exactly one"):
            second.start()
        assert call(f"{first.url}/-/healthy") is not None


def test_figures_continue_across_a_restart(rules: Path, tmp_path: Path):
    """Counters and histograms are folded from the journal at the start: nothing falls back to zero."""
    daemon = Daemon(tmp_path, rules)
    with ended(daemon):
        daemon.start()
        call(f"{daemon.url}/in/alertmanager", (rules / "payloads" / "checkout-5xx.json").read_bytes())
        wait_until("Ana is paged", lambda: daemon.messages("ana"))
        daemon.answer("ana", "sms", text="K7")
        count = 'escalatord_time_to_acknowledge_seconds_count{policy="payments",severity="critical",tier="1"}'
        assert _metric(daemon, count).endswith(" 1.0")
        daemon.kill()
        daemon.start()
        assert _metric(daemon, count).endswith(" 1.0")
        assert _metric(daemon, 'escalatord_acknowledgements_total{result="ok",via="sms"}').endswith(" 1.0")


def test_an_ack_that_was_not_taken_is_counted(rules: Path, tmp_path: Path):
    """No journal holds it; `/metrics` of this process does."""
    daemon = Daemon(tmp_path, rules)
    with ended(daemon):
        daemon.start()
        daemon.answer("ana", "sms", text="ok")
        assert _metric(daemon, 'escalatord_acknowledgements_total{result="refused",via="sms"}').endswith(" 1.0")


def _metric(daemon: Daemon, name: str) -> str:
    """Return the sample line that starts with `name`."""
    lines = str(call(f"{daemon.url}/metrics")).splitlines()
    return next(line for line in lines if line.startswith(name))
