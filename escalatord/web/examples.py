"""Example alerts that lie beside the rules (`payloads/*.json`), fired as if they had just happened."""

import json
import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from escalatord.core.ruleset import Ruleset, SourceSpec
from escalatord.errors import BadInputError
from escalatord.ingest import Parsed, parse
from escalatord.web.ingest_http import BUILT_IN_SOURCE, source_of
from escalatord.web.parts import Example

FOLDER = "payloads"
EXAMPLES_MAX = 50
EXAMPLE_BYTES_MAX = 256 * 1024
SAY_LENGTH_MAX = 80
INSTANT = re.compile(r"[1-9]\d{3}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)
KEPT_AS_WRITTEN = "endsAt"


def find_examples(rules: Path) -> dict[str, Example]:
    """Return the examples beside the rules by name; files that are no JSON object are left out."""
    found: dict[str, Example] = {}
    for path in sorted((rules / FOLDER).glob("*.json"))[:EXAMPLES_MAX]:
        if path.stat().st_size > EXAMPLE_BYTES_MAX:
            continue
        try:
            content = json.loads(path.read_bytes())
        except ValueError:
            continue
        if isinstance(content, dict):
            # Anything but Alertmanager's shape is left to whichever source of the rules can read it.
            source = BUILT_IN_SOURCE.name if "alerts" in content else ""
            found[path.stem] = Example(
                name=path.stem, source=source, say=_say(path.stem, content), body=_fresh(content)
            )
    return found


def _say(name: str, content: dict[str, object]) -> str:
    annotations = content.get("commonAnnotations")
    text = annotations.get("summary") if isinstance(annotations, dict) else None
    words = name.replace("-", " ").capitalize()
    return f"{words}: {text}"[:SAY_LENGTH_MAX] if text else words


def _fresh(content: dict[str, object]) -> Callable[[datetime], bytes]:
    def body(now: datetime) -> bytes:
        return json.dumps(_now(content, now.isoformat())).encode()

    return body


def _now(value: object, now: str) -> object:
    """Return `value` with every start time set to `now`: an old one would be a late copy of what was resolved since."""
    if isinstance(value, dict):
        return {key: part if key == KEPT_AS_WRITTEN else _now(part, now) for key, part in value.items()}
    if isinstance(value, list):
        return [_now(part, now) for part in value]
    return now if isinstance(value, str) and INSTANT.fullmatch(value) else value


def read_example(ruleset: Ruleset, example: Example, now: datetime) -> tuple[SourceSpec, Parsed] | None:
    """Return the source that can read an example, and its alerts; None when none can."""
    named = source_of(ruleset, example.source) if example.source else None
    body = example.body(now)
    for spec in [named] if named is not None else ruleset.sources.values():
        try:
            parsed = parse(spec, body, "application/json", now)
        except BadInputError:
            continue
        if parsed.alerts:
            return spec, parsed
    return None
