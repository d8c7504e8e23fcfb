"""`demo` runs the real daemon: it greets, fires, pages; it never hurries people with real phones."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from escalatord.cli import demo, serve
from escalatord.daemon import Options
from tests.cli.conftest import Run, incident
from tests.fakes.processes import ROOT, Running, call, free_port, wait_until

REAL = f'  sms: {{provider: twilio, account_sid: AC{"0" * 32}, auth_token: "file:token", from: "+15005550006"}}'


def test_demo_greets_fires_and_pages(tmp_path: Path) -> None:
    """The whole: ready, the example fired, a page at the first phone, nothing left behind when it ends."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "escalatord", "demo", "--port", str(port)]
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    process = Running("demo", command, tmp_path, PYTHONPATH=str(ROOT), TMPDIR=str(scratch), PYTHONUNBUFFERED="1")
    try:
        wait_until("the banner", lambda: "watch it climb" in process.tail(), 30)
        banner = process.tail().splitlines()
        assert banner[0].startswith("escalatord ")
        assert url in banner[0]
        assert "checkout-5xx (example)     INC-1 critical → Ana (chat, sms), in 5m → Bo" in banner[2]
        assert banner[2].endswith("speed ×20")  # noqa: RUF001 - a product, as shown
        assert banner[3].endswith(f"Open {url}/sim and answer the phone, or wait and watch it climb.")
        wait_until("Ana is paged", lambda: call(f"{url}/api/v1/sim/messages?person=ana")["messages"], 30)
        assert list(scratch.iterdir())
        process.process.send_signal(signal.SIGINT)
        assert process.process.wait(20) == 0
        assert list(scratch.iterdir()) == []
    finally:
        process.stop()


def test_demo_whose_port_is_taken_says_so(fake, tmp_path: Path) -> None:
    """The sentence names the flag that helps."""
    port = fake.url.rpartition(":")[2]
    answer = subprocess.run(
        [sys.executable, "-m", "escalatord", "demo", "--port", port],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert answer.returncode == 1
    assert "demo: --port" in answer.stderr
    assert "Traceback" not in answer.stderr


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Options]:
    """Collect what the daemon would be started with."""
    found: list[Options] = []
    monkeypatch.setattr(serve, "run", lambda options, _on_ready: found.append(options) or 0)
    return found


def test_demo_with_real_phones_is_not_hurried(run: Run, started: list[Options], tmp_path: Path) -> None:
    """A channel that is not simulated forbids --speed above 1, by name."""
    run("init", tmp_path)
    (tmp_path / "token").write_text("secret-of-this-test")
    channels = tmp_path / "channels.yaml"
    channels.write_text(channels.read_text().replace("  sms: {provider: sim}", REAL))
    result = run("demo", "--rules", tmp_path)
    assert (result.exit_code, started) == (2, [])
    assert "not simulated: sms" in result.output
    assert run("demo", "--rules", tmp_path, "--speed", "1").exit_code == 0


def test_demo_with_bad_rules_is_exit_3(run: Run, started: list[Options], tmp_path: Path) -> None:
    """Findings, then 3."""
    (tmp_path / "rules.yaml").write_text("policies: 7\n")
    assert run("demo", "--rules", tmp_path).exit_code == 3


def test_demo_may_keep_its_database(run: Run, started: list[Options], tmp_path: Path) -> None:
    """A place that was named is used."""
    assert run("demo", "--storage.path", tmp_path / "kept.db", "--speed", "100").exit_code == 0
    assert (started[0].storage_url, started[0].speed) == (f"sqlite:///{tmp_path}/kept.db", 100.0)


def test_demo_tells_who_is_paged_and_who_is_next() -> None:
    """First names, channels once each, the next tier of the same track with its time."""
    assert demo.summary(incident()) == "INC-142 critical → Ana (sms), in 5m → Bo"
    quiet = incident(tracks=[], messages=[], next=[])
    assert demo.summary(quiet) == "INC-142 critical → nobody"
