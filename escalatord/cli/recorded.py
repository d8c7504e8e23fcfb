"""Recorded alerts: what the example payloads beside the rules say, as the daemon would read them."""

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from escalatord.cli import payloads
from escalatord.core.alert import Alert
from escalatord.core.ruleset import Ruleset, SourceSpec
from escalatord.errors import BadInputError
from escalatord.ingest import parse

PAYLOADS_MAX = 100
"""Past it: the first ones by name."""
ALERTS_EACH_MAX = 5
"""Past it: the first ones of a payload."""
CONTENT_TYPE = "application/json"
BUILT_IN = SourceSpec(name=payloads.ALERTMANAGER, adapter=payloads.ALERTMANAGER)


def recorded_alerts(rules: Path, ruleset: Ruleset, now: datetime) -> dict[str, Alert]:
    """Return the alerts of the payloads beside `rules`, by name of the payload (with a number from the second on).

    Each is read by the first source that understands it; a payload that none does is left out.
    """
    found: dict[str, Alert] = {}
    for name in payloads.names(rules)[:PAYLOADS_MAX]:
        for place, alert in enumerate(_read(name, rules, ruleset, now), start=1):
            found[name if place == 1 else f"{name} {place}"] = alert
    return found


def _read(name: str, rules: Path, ruleset: Ruleset, now: datetime) -> list[Alert]:
    try:
        content = payloads.read(name, rules)
    except payloads.PayloadError:
        return []
    raw = json.dumps(content).encode()
    for source in _sources(content, ruleset):
        try:
            return list(parse(source, raw, CONTENT_TYPE, now).alerts[:ALERTS_EACH_MAX])
        except BadInputError:
            continue
    return []


def _sources(content: object, ruleset: Ruleset) -> Iterator[SourceSpec]:
    """Yield the sources that might post such a body."""
    alertmanagers = payloads.is_alertmanagers(content)
    for source in ruleset.sources.values():
        if (source.adapter == payloads.ALERTMANAGER) is alertmanagers:
            yield source
    if alertmanagers:
        yield BUILT_IN
