"""The golden corpus: each file holds a body as a sender writes it and the alerts it must become."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from escalatord.core.alert import Alert, Severity
from escalatord.core.ruleset import SourceSpec
from escalatord.errors import BadInputError
from escalatord.ingest import parse

GOLDEN = sorted((Path(__file__).parent / "golden").glob("*.json"))
NOW = datetime(2026, 10, 24, 1, 7, tzinfo=UTC)


def canonical(alert: Alert) -> dict[str, object]:
    """Return an alert as JSON values, leaving out what is empty."""
    values = {
        "source": alert.source,
        "fingerprint": alert.fingerprint,
        "status": alert.status.value,
        "starts_at": alert.starts_at.isoformat(),
        "ends_at": alert.ends_at and alert.ends_at.isoformat(),
        "title": alert.title,
        "summary": alert.summary,
        "severity": alert.severity and alert.severity.value,
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "values": {name: [quantity.value, quantity.unit] for name, quantity in alert.values.items()},
        "links": dict(alert.links),
        "group_key": alert.group_key,
        "truncated": alert.truncated,
    }
    return {name: value for name, value in values.items() if value not in (None, "", {}, 0)}


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_body_becomes_exactly_these_alerts(path: Path) -> None:
    """A recorded body gives the recorded alerts and rejections, field by field."""
    case = json.loads(path.read_text())
    source = case["source"]
    severities = {word: Severity(meant) for word, meant in source.pop("severities", {}).items()}
    spec = SourceSpec(severities=severities, **source)
    body = case["body"]
    octets = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    if "error" in case:
        with pytest.raises(BadInputError) as caught:
            parse(spec, octets, case.get("content_type", "application/json"), NOW)
        assert case["error"] == {"code": caught.value.code, "at": caught.value.at, "say": caught.value.say}
        return
    parsed = parse(spec, octets, case.get("content_type", "application/json"), NOW)
    assert case["alerts"] == [canonical(alert) for alert in parsed.alerts]
    rejected = [{"index": r.index, "at": r.at, "code": r.code, "say": r.say} for r in parsed.rejected]
    assert case.get("rejected", []) == rejected


def test_corpus_is_there() -> None:
    """The corpus is found, so that an empty folder cannot pass for a green one."""
    assert len(GOLDEN) >= 20
