"""The main job with real peers: a real Prometheus and a real Alertmanager make it page, and read MTTA and MTTE back."""

import http.server
import threading
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import pytest

from tests.fakes.processes import Daemon, Running, call, ended, find_program, free_port, wait_until

PROMETHEUS = find_program("prometheus")
ALERTMANAGER = find_program("prometheus-alertmanager")
TEMPLATE = Path("/usr/share/prometheus/alertmanager/default.tmpl")
TOKEN = "a-secret-of-this-test"

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(240),
    pytest.mark.skipif(
        not (PROMETHEUS and ALERTMANAGER and TEMPLATE.exists()),
        reason="Debian's prometheus and prometheus-alertmanager are not here; .ci/run unpacks them",
    ),
]

RULES = """
unmatched: {severity: warning, policy: payments}
services:
  checkout: {owner: team payments, policy: payments, revenue_per_hour: 120000 EUR}
thresholds:
  - name: checkout-failing
    match: service="checkout"
    severity: {critical: {when: errors > 5%}}
    owner: team payments
facts:
  errors: {from: annotation.value, unit: percent}
policies:
  payments:
    owner: person ana
    tracks:
      technical:
        tiers:
          - {name: primary, page: [person ana], within: 4s, plan: usual}
          - {name: secondary, page: [person bo], within: 60s, plan: usual}
    last_resort: {page: [person ana, person bo], plan: usual, every: 30m}
contact_plans:
  usual: [{by: chat}, {by: sms}]
channels:
  chat: {provider: sim}
  sms: {provider: sim}
people:
  ana: {name: Ana Ruiz, sms: "+34600000001", timezone: Europe/Madrid}
  bo: {name: Bo Lind, sms: "+34600000002", timezone: Europe/Madrid}
teams:
  payments: [ana, bo]
sources:
  am: {adapter: alertmanager, auth: {bearer: file:am-token}}
"""
PROMETHEUS_CONFIG = """
global: {{scrape_interval: 500ms, evaluation_interval: 500ms}}
rule_files: [rules.yml]
alerting: {{alertmanagers: [{{static_configs: [{{targets: ["127.0.0.1:{alertmanager}"]}}]}}]}}
scrape_configs:
  - {{job_name: shop, static_configs: [{{targets: ["127.0.0.1:{shop}"]}}]}}
  - {{job_name: escalatord, static_configs: [{{targets: ["127.0.0.1:{escalatord}"]}}]}}
"""
PROMETHEUS_RULES = """
groups:
  - name: shop
    rules:
      - alert: HighErrorRate
        expr: checkout_error_percent > 5
        labels: {service: checkout, severity: critical}
        annotations: {summary: "5xx rate {{ $value }}%", value: "{{ $value }}"}
"""
ALERTMANAGER_CONFIG = """
route: {{receiver: escalatord, group_by: [alertname, service], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}}
receivers:
  - name: escalatord
    webhook_configs:
      - url: {url}/in/am
        http_config: {{authorization: {{credentials: {token}}}}}
"""


class Shop:
    """A shop whose error rate the test sets and Prometheus scrapes."""

    def __init__(self) -> None:
        self.error_percent = 0.0
        shop = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.end_headers()
                self.wfile.write(f"checkout_error_percent {shop.error_percent}\n".encode())

            def log_message(self, *_args: object) -> None:
                """Keep the test's output clean."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @contextmanager
    def open(self) -> Iterator["Shop"]:
        """Serve while the block runs."""
        self._thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()


def query(port: int, expression: str) -> float | None:
    """Return the single value of an instant query, None when the answer is empty."""
    url = f"http://127.0.0.1:{port}/api/v1/query?" + urllib.parse.urlencode({"query": expression})
    result = call(url)["data"]["result"]
    return float(result[0]["value"][1]) if result else None


def mean(name: str, selector: str) -> str:
    """Return the mean of a histogram as design and dashboards ask for it, over five minutes."""
    total = f"sum(max without (instance) (increase({name}_sum{{{selector}}}[5m])))"
    count = f"sum(max without (instance) (increase({name}_count{{{selector}}}[5m])))"
    return f"{total} / ({count} > 0)"


def test_an_alert_climbs_is_acked_by_sms_resolves_and_its_times_are_in_prometheus(tmp_path: Path):
    """Rule fires → tier 1 → no ack → tier 2 → SMS reply acks → resolves; Prometheus answers MTTA, MTTE and ack-SLO."""
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "rules.yaml").write_text(RULES)
    (rules / "am-token").write_text(TOKEN)
    prometheus_port, alertmanager_port = free_port(), free_port()
    with Shop().open() as shop:
        daemon = Daemon(tmp_path, rules)
        (tmp_path / "rules.yml").write_text(PROMETHEUS_RULES)
        (tmp_path / "prometheus.yml").write_text(
            PROMETHEUS_CONFIG.format(alertmanager=alertmanager_port, shop=shop.port, escalatord=daemon.port)
        )
        (tmp_path / "alertmanager.yml").write_text(ALERTMANAGER_CONFIG.format(url=daemon.url, token=TOKEN))
        daemon.start()
        alertmanager = Running(
            "alertmanager",
            [
                str(ALERTMANAGER),
                f"--config.file={tmp_path}/alertmanager.yml",
                f"--storage.path={tmp_path}/am",
                f"--web.listen-address=127.0.0.1:{alertmanager_port}",
                "--cluster.listen-address=",
            ],
            tmp_path,
        )
        prometheus = Running(
            "prometheus",
            [
                str(PROMETHEUS),
                f"--config.file={tmp_path}/prometheus.yml",
                f"--storage.tsdb.path={tmp_path}/tsdb",
                f"--web.listen-address=127.0.0.1:{prometheus_port}",
                "--rules.alert.resend-delay=1s",
            ],
            tmp_path,
        )
        with ended(prometheus, alertmanager, daemon):
            seen = 'escalatord_time_to_acknowledge_seconds_count{policy="payments",severity="critical",tier="2"}'
            wait_until("Prometheus has scraped zeros", lambda: query(prometheus_port, f"{seen} == bool 0") == 1.0)

            shop.error_percent = 8.2
            incident = wait_until("an incident", lambda: daemon.incidents()[0], 60)
            assert (incident["severity"], incident["service"]) == ("critical", "checkout")
            first = wait_until(
                "Ana is paged by SMS", lambda: [m for m in daemon.messages("ana") if m["channel"] == "sms"]
            )
            assert "Reply K7 to ack" in first[0]["text"]
            second = wait_until(
                "Bo is paged at tier 2", lambda: [m for m in daemon.messages("bo") if m["channel"] == "sms"]
            )
            assert "Ana did not ack" in second[0]["text"]

            assert "OK: you own K7" in daemon.answer("bo", "sms", text="k7 on it")["reply"]
            acked = daemon.incidents()[0]
            assert (acked["state"], acked["acknowledged_by"], acked["tier"]) == ("acknowledged", "bo", 2)

            shop.error_percent = 0.0
            wait_until("it resolves", lambda: daemon.incidents()[0]["state"] == "resolved", 60)
            wait_until(
                "Ana hears that it is over", lambda: [m for m in daemon.messages("ana") if "STAND DOWN" in m["text"]]
            )

            journal = call(f"{daemon.url}/api/v1/incidents/{incident['number']}")
            to_ack = _seconds(acked["acknowledged_at"]) - _seconds(journal["opened_at"])
            mtta = mean("escalatord_time_to_acknowledge_seconds", 'policy="payments"')
            mtte = mean("escalatord_time_to_escalate_seconds", 'policy="payments",to_tier="2"')
            found = wait_until("Prometheus knows the MTTA", lambda: query(prometheus_port, mtta))
            assert found == pytest.approx(to_ack, abs=0.01)
            assert query(prometheus_port, mtte) == pytest.approx(4.0, abs=0.5)
            slo = (
                'sum(increase(escalatord_time_to_acknowledge_seconds_bucket{severity="critical",le="60.0"}[5m]))'
                ' / (sum(increase(escalatord_incidents_opened_total{severity="critical"}[5m])) > 0)'
            )
            assert query(prometheus_port, slo) == pytest.approx(1.0, abs=0.05)
            escalations = (
                'escalatord_escalations_total{policy="payments",severity="critical",to_tier="2",reason="timeout"}'
            )
            assert query(prometheus_port, escalations) == 1.0


def _seconds(text: str) -> float:

    return datetime.fromisoformat(text).timestamp()
