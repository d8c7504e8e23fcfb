"""Alertmanager's webhook, version "4".

Rules:

- State is kept per alert: the group's own status means nothing, and one body may hold firing and resolved alerts.
- Resolved is `status == "resolved"`, compared whole; an end time alone ends nothing (0001-01-01 means unset).
- `truncatedAlerts` says that alerts are missing; what is missing is not resolved.
- A body without a version was written by the user's own template: it needs the generic adapter and a field map.

Source: Prometheus documentation, Alertmanager, `<webhook_config>`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from escalatord.core.alert import Alert, AlertStatus, Severity
from escalatord.core.ruleset import SourceSpec
from escalatord.errors import BadInputError
from escalatord.ingest import fields
from escalatord.ingest.body import kind_of, load_json, shown
from escalatord.ingest.parsed import Parsed, each
from escalatord.ingest.severity import severity_of

VERSION = "4"
STATUSES = {"firing": AlertStatus.FIRING, "resolved": AlertStatus.RESOLVED}
LINKS = (("runbook_url", "runbook"), ("dashboard_url", "dashboard"))
UNSET = "0001-01-01T00:00:00Z"


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """What all alerts of a body share."""

    spec: SourceSpec
    now: datetime
    group: str
    truncated: int


def parse(spec: SourceSpec, body: bytes, _content_type: str, now: datetime) -> Parsed:
    """Return the alerts of one webhook body; raise `BadInputError` when it has none that can be used."""
    tree = load_json(body)
    if not isinstance(tree, dict):
        say = f"an Alertmanager webhook is an object with version, groupKey and alerts; this is {kind_of(tree)}"
        raise BadInputError("E104", "", say)
    _check_version(tree)
    alerts = tree.get("alerts")
    if not isinstance(alerts, list):
        code, say = (
            ("E102", "alerts is missing")
            if alerts is None
            else ("E101", f"alerts must be a list, this is {kind_of(alerts)}")
        )
        raise BadInputError(code, "/alerts", say)
    group_key = tree.get("groupKey")
    missing = tree.get("truncatedAlerts")
    envelope = Envelope(
        spec=spec,
        now=now,
        group=fields.identity(group_key) if isinstance(group_key, str) else "",
        truncated=missing if type(missing) is int and missing > 0 else 0,
    )
    return each(((f"/alerts/{index}", item) for index, item in enumerate(alerts)), partial(_alert, envelope))


def _check_version(tree: Mapping[str, object]) -> None:
    version = tree.get("version")
    if version in (VERSION, int(VERSION)):
        return
    if version is None:
        say = (
            "there is no version: this is not Alertmanager's own webhook body. A body of your own template "
            "needs a source with `adapter: generic` and a `map`"
        )
    elif version == "1":
        say = (
            'version "1" is Grafana\'s webhook; it needs a source with `adapter: generic` and a `map` '
            'with `each: "$.alerts[*]"`'
        )
    else:
        say = f'version is "{shown(str(version))}"; only version "{VERSION}" of Alertmanager\'s webhook is known'
    raise BadInputError("E104", "/version", say)


def _alert(envelope: Envelope, item: object, at: str) -> Alert:
    """Return one alert of the body; raise `BadInputError` when it has no identity or a part of the wrong type."""
    if type(item) is not dict:
        raise BadInputError("E101", at, f"an alert must be an object, this is {kind_of(item)}")
    notes: list[str] = []
    all_labels = fields.text_map(item.get("labels"), at + "/labels")
    fingerprint = _fingerprint(item.get("fingerprint"), all_labels, at)
    labels = fields.limited(all_labels, "labels", notes)
    annotations = fields.limited(fields.text_map(item.get("annotations"), at + "/annotations"), "annotations", notes)
    status = _status(item.get("status"), at, notes)
    severity = _severity(envelope.spec, labels, notes)
    starts_at = fields.instant(item.get("startsAt"))
    if starts_at is None:
        starts_at = envelope.now
        notes.append("startsAt is missing or not a time; the arrival stands in for it")
    ends_at = item.get("endsAt")
    if notes:
        annotations = {**annotations, fields.NOTE: "; ".join(notes)}
    return Alert(
        source=envelope.spec.name,
        fingerprint=fingerprint,
        status=status,
        starts_at=starts_at,
        ends_at=None if ends_at == UNSET else fields.instant(ends_at),
        title=fields.title_of(annotations.get("summary", ""), labels.get("alertname", ""), fingerprint),
        summary=annotations.get("description", ""),
        severity=severity,
        labels=labels,
        annotations=annotations,
        links=_links(item, annotations),
        group_key=envelope.group,
        truncated=envelope.truncated,
    )


def _fingerprint(given: object, labels: Mapping[str, str], at: str) -> str:
    """Return the sender's fingerprint, or the one Alertmanager would compute."""
    if isinstance(given, str) and given and not given.isspace():
        return fields.identity(given)
    if given is not None and not isinstance(given, str):
        raise BadInputError("E101", at + "/fingerprint", f"fingerprint must be a string, this is {kind_of(given)}")
    if not labels:
        raise BadInputError(
            "E102", at, "an alert needs a fingerprint or labels: without them it cannot be told from others"
        )
    return fields.fingerprint(labels)


def _status(word: object, at: str, notes: list[str]) -> AlertStatus:
    """Return what the sender says; any other word is firing, with a note: silence would be the worse error."""
    if isinstance(word, str) and word in STATUSES:
        return STATUSES[word]
    if word is None:
        notes.append("status is missing; taken as firing")
    else:
        notes.append(f'status "{shown(fields.as_text(word, at + "/status"))}" is unknown; taken as firing')
    return AlertStatus.FIRING


def _severity(spec: SourceSpec, labels: Mapping[str, str], notes: list[str]) -> Severity | None:
    word = labels.get("severity", "")
    if not word:
        return None
    known = severity_of(word, spec.severities)
    if known is None:
        notes.append(f'severity "{shown(word)}" is unknown')
    return known


def _links(item: Mapping[str, object], annotations: Mapping[str, str]) -> dict[str, str]:
    links = {}
    for annotation, name in LINKS:
        if annotation in annotations and (address := fields.link(annotations[annotation])):
            links[name] = address
    if address := fields.link(item.get("generatorURL")):
        links["graph"] = address
    return links
