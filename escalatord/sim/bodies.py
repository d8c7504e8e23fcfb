"""Webhook bodies of a simulated Alertmanager, made of labels and annotations."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from escalatord.core.alert import fingerprint_of

NO_END = "0001-01-01T00:00:00Z"


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """Something that can fire: what Alertmanager would say of it."""

    labels: Mapping[str, str]
    annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """Return its identity."""
        return fingerprint_of(self.labels)


def conditions(
    rules: Path, example: str, labels: Mapping[str, str], annotations: Mapping[str, str]
) -> tuple[Condition, ...]:
    """Return the conditions of an example beside the rules, else one of that name; with these words set on each."""
    path = rules / "payloads" / f"{example}.json"
    if not path.is_file():
        return (Condition(labels={"alertname": example, **labels}, annotations=annotations),)
    alerts = json.loads(path.read_text(encoding="utf-8"))["alerts"]
    return tuple(
        Condition(labels={**alert["labels"], **labels}, annotations={**alert["annotations"], **annotations})
        for alert in alerts
    )


def group_of(told: Sequence[Condition]) -> str:
    """Return the group key of an Alertmanager that groups by alert name and service."""
    labels = told[0].labels
    return f'{{}}:{{alertname="{labels.get("alertname", "")}", service="{labels.get("service", "")}"}}'


def body(told: Sequence[Condition], status: str, starts: Mapping[str, datetime], now: datetime, group: str) -> bytes:
    """Return the body that tells of `told`; `starts` are their starts by fingerprint, `group` the key ("" = ours)."""
    alerts = [
        {
            "status": status,
            "labels": dict(condition.labels),
            "annotations": dict(condition.annotations),
            "startsAt": starts[condition.fingerprint].isoformat(),
            "endsAt": now.isoformat() if status == "resolved" else NO_END,
        }
        for condition in told
    ]
    content = {"version": "4", "groupKey": group or group_of(told), "status": status, "alerts": alerts}
    return json.dumps(content).encode()
