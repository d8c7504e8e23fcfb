"""Realistic Alertmanager webhooks (version 4) that are cheap to fill: one `%` of bytes makes a new body.

Every alert has a number of its own in its labels and its fingerprint, and the instant at which it was sent, in
nanoseconds since 1970, in its summary: a sink that finds it in a message knows how long the message took.
"""

import json
from collections.abc import Sequence

NAMES = ("HighRequestLatency", "KubePodCrashLooping", "NodeFilesystemAlmostFull", "TargetDown")
NUMBER = "@n@"
SENT = "@t@"


def labels(place: int) -> dict[str, str]:
    """Return the labels of the alert at `place` of a body."""
    return {
        "alertname": NAMES[place % len(NAMES)],
        "severity": ("critical", "warning", "info")[place % 3],
        "cluster": f"eu-west-1-prod-{place % 4}",
        "namespace": f"ns-{place % 40}",
        "team": "payments",
        "job": "kubernetes-pods",
        "instance": f"10.0.{place % 256}.17:9090",
        "pod": f"svc-{place % 97}-{NUMBER}",
        "prometheus": "monitoring/k8s",
    }


def alert(place: int, extra: dict[str, str]) -> dict[str, object]:
    """Return the alert at `place` of a body, with marks where its number and its instant go."""
    return {
        "status": "firing",
        "labels": labels(place) | extra,
        "annotations": {
            "summary": f"p99 latency above 500 ms sent_ns={SENT}",
            "description": "The 99th percentile of request latency has been above the objective for more than 10 "
            "minutes. Check recent deploys and downstream saturation before paging the database team.",
            "runbook_url": f"https://runbooks.example.org/latency/svc-{place % 97}",
            "dashboard": f"https://grafana.example.org/d/abc{place % 97}/service",
        },
        "startsAt": "2026-01-05T08:00:00.123Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus.example.org/graph?g0.expr=histogram_quantile%280.99%29&g0.tab=1",
        "fingerprint": NUMBER,
    }


POSTED = ("labels", "annotations", "startsAt", "generatorURL")
"""What Alertmanager's own API takes of an alert."""


class Template:
    """A body of `alerts` alerts, to be filled with numbers and an instant.

    A body is a webhook of Alertmanager, or with `posted` what Alertmanager itself takes in (its API v2).
    """

    def __init__(self, alerts: int, *, posted: bool = False, **extra: str) -> None:
        self.alerts = alerts
        self._posted = posted
        body: object = {
            "version": "4",
            "groupKey": '{}/{team="payments"}:{alertname="HighRequestLatency"}',
            "truncatedAlerts": 0,
            "status": "firing",
            "receiver": "escalatord",
            "groupLabels": {"alertname": "HighRequestLatency"},
            "commonLabels": {"job": "kubernetes-pods"},
            "commonAnnotations": {},
            "externalURL": "http://alertmanager.example.org:9093",
            "alerts": [alert(place, extra) for place in range(alerts)],
        }
        if posted:
            several = [alert(place, extra) for place in range(alerts)]
            body = [{name: each[name] for name in POSTED} for each in several]
        text = json.dumps(body, separators=(",", ":")).replace("%", "%%")
        self._text = text.replace(NUMBER, "%016x").replace(SENT, "%019d").encode()

    def fill(self, numbers: Sequence[int], sent_ns: int) -> bytes:
        """Return the body of alerts with these numbers; the instants of its alerts differ by a nanosecond each."""
        # an alert has its number in the pod's name, then its instant, then (in a webhook) its number as fingerprint
        last = 2 if self._posted else 3
        return self._text % tuple(
            value for place, number in enumerate(numbers) for value in (number, sent_ns + place, number)[:last]
        )
