"""What tests of the command line share: a daemon that answers as told, a runner, an incident as the API writes it."""

import http.server
import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from click.testing import CliRunner, Result

from escalatord.cli import cli

Run = Callable[..., Result]


class FakeDaemon:
    """Answers each path (without query) with (status, content); remembers what it was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.asked: list[tuple[str, str, Any]] = []
        self.headers: list[dict[str, str]] = []
        fake = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer(None)

            def do_DELETE(self) -> None:
                self._answer(None)

            def do_POST(self) -> None:
                self._answer(json.loads(self.rfile.read(int(self.headers["Content-Length"])) or "null"))

            def _answer(self, body: Any) -> None:
                fake.asked.append((self.command, self.path, body))
                fake.headers.append(dict(self.headers))
                status, content = fake.answer(self.path)
                raw = content if isinstance(content, bytes) else json.dumps(content).encode()
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", raw.decode())
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, *_args: object) -> None:
                """Keep the tests' output clean."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def answer(self, path: str) -> tuple[int, Any]:
        """Return the answer of a path, 404 for one that nobody told."""
        found = self.answers.get(path.partition("?")[0], (404, {"error": "unknown", "say": "There is no such thing."}))
        return found.pop(0) if isinstance(found, list) else found

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def fake() -> Iterator[FakeDaemon]:
    """A daemon that answers as told."""
    daemon = FakeDaemon()
    yield daemon
    daemon.close()


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A terminal in UTC, with nothing set that changes what verbs do."""
    for name in ("ESCALATORD_URL", "ESCALATORD_TOKEN_FILE", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def run() -> Run:
    """Run a command line in this process: `run("ls", "--state", "open")`."""

    def run_it(*arguments: object, **environ: str) -> Result:
        return CliRunner().invoke(cli, [str(argument) for argument in arguments], env=environ, prog_name="escalatord")

    return run_it


@pytest.fixture
def ask(run: Run, fake: FakeDaemon) -> Run:
    """Run a command line against the fake daemon."""

    def ask_it(*arguments: object, **environ: str) -> Result:
        return run(*arguments, ESCALATORD_URL=fake.url, **environ)

    return ask_it


def incident(**changes: Any) -> dict[str, Any]:
    """Return an incident in detail, as `GET /api/v1/incidents/142` answers."""
    return {
        "number": 142,
        "label": "INC-142",
        "state": "open",
        "severity": "critical",
        "opened_severity": "critical",
        "service": "checkout",
        "title": "5xx rate 8.2% (eu-west)",
        "policy": "payments",
        "rule": "checkout-failing",
        "cause": "threshold",
        "tier": 1,
        "tracks": [
            {
                "name": "technical",
                "state": "running",
                "tier": 1,
                "paging": [{"person": "ana", "name": "Ana Ruiz", "target": "oncall payments-primary"}],
            }
        ],
        "paging": ["ana"],
        "opened_at": "2026-10-24T01:11:14Z",
        "acknowledged_at": None,
        "acknowledged_by": None,
        "acknowledged_via": None,
        "recovered_at": None,
        "resolved_at": None,
        "resolved_by": None,
        "alerts": 1,
        "links": {"runbook": "https://runbooks.example.com/checkout"},
        "at": "2026-10-24T01:12:00Z",
        "timeline": [
            {
                "seq": 7,
                "at": "2026-10-24T01:11:14Z",
                "kind": "opened",
                "actor": "am",
                "via": "source",
                "say": "Opened by checkout-failing (threshold), critical, policy payments",
            },
            {
                "seq": 8,
                "at": "2026-10-24T01:11:14Z",
                "kind": "tier_entered",
                "actor": "am",
                "via": "source",
                "say": "Tier 1 of technical pages Ana Ruiz (opened)",
            },
        ],
        "next": [
            {
                "at": "2026-10-24T01:16:14Z",
                "in_seconds": 254.0,
                "track": "technical",
                "tier": 2,
                "what": "tier 2 secondary",
                "people": ["bo"],
                "names": ["Bo Lindgren"],
            }
        ],
        "alerts_seen": [
            {"source": "am", "fingerprint": "8c1d", "received_at": "2026-10-24T01:06:14Z", "status": "firing"}
        ],
        "messages": [
            {
                "at": "2026-10-24T01:11:15Z",
                "person": "ana",
                "channel": "sms",
                "track": "technical",
                "say": "sms to Ana Ruiz: delivered",
            },
        ],
        "explanation": {
            "why_it_exists": [
                "threshold rule checkout-failing made it critical; policy payments",
                "source am, fingerprint 8c1d: firing",
                "checkout-failing: critical: transaction_failure_rate > 5% (8.2%)",
            ],
            "why_this_person": ["Ana Ruiz is oncall payments-primary, tier 1 of technical: layer madrid"],
            "verdicts": [],
        },
        **changes,
    }


STATUS: dict[str, Any] = {
    "version": "0.1.0",
    "at": "2026-10-24T01:12:00Z",
    "healthy": True,
    "ready": True,
    "rules": "1f9a0c0000000000",
    "open": [{"policy": "payments", "severity": "critical", "state": "open", "count": 1}],
    "unacknowledged": 1,
    "acknowledged": 0,
    "overdue_seconds": 0.0,
    "journal_seq": 8,
    "channels": {"sms/sim": True, "call/sim": False},
}
ONCALL: dict[str, Any] = {
    "at": "2026-10-24T01:12:00Z",
    "schedules": [
        {
            "name": "payments-primary",
            "timezone": "Europe/Madrid",
            "people": [{"person": "ana", "name": "Ana Ruiz", "because": "layer madrid"}],
            "shadows": [],
            "gaps": [],
        },
        {
            "name": "night",
            "timezone": "Europe/Madrid",
            "people": [],
            "shadows": [],
            "gaps": [{"start": "2026-10-24T01:12:00Z", "end": "2026-10-24T06:00:00Z"}],
        },
    ],
}
