"""`explain --alert FILE --rules DIRECTORY`: what these rules would make of a body at some time, without a daemon."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from escalatord.cli.payloads import PAYLOAD_BYTES_MAX
from escalatord.clock import SystemClock

if TYPE_CHECKING:
    from escalatord.core.mutes import SuppressedBy  # as below: rules are read only when they are asked for


def foretold(rules: Path, file: Path, source: str, at: str | None) -> Mapping[str, Any]:
    """Return what the API's dry run would say, and what would become of each alert if nobody acted.

    The alerts begin at the instant asked about. UsageError when the source is not in the rules or cannot read the body.
    """
    from escalatord.cli.simulate import ruleset_of, when  # noqa: PLC0415 - rules are read only when they are asked for
    from escalatord.core.evaluate import evaluate  # noqa: PLC0415 - as above
    from escalatord.core.foresight import foresee  # noqa: PLC0415 - as above
    from escalatord.core.rules import AlertRecord  # noqa: PLC0415 - as above
    from escalatord.core.values import replace  # noqa: PLC0415 - as above
    from escalatord.errors import BadInputError  # noqa: PLC0415 - as above
    from escalatord.ingest import parse  # noqa: PLC0415 - as above

    ruleset = ruleset_of(rules)
    now = when(at)[0] if at is not None else SystemClock().now()
    spec = ruleset.sources.get(source)
    if spec is None:
        known = ", ".join(ruleset.sources) or "none"
        raise click.BadParameter(f"there is no such source in the rules; sources: {known}", param_hint="--source")
    with file.open("rb") as opened:
        body = opened.read(PAYLOAD_BYTES_MAX + 1)
    try:
        parsed = parse(spec, body, "application/json", now)
    except BadInputError as error:
        raise click.UsageError(f"{source} cannot read this body: {error.say}") from None
    explained = []
    for alert in parsed.alerts:
        begun = replace(alert, starts_at=now, ends_at=None)
        verdict = evaluate(ruleset, AlertRecord(alert=begun, opened_at=now, last_seen_at=now, starts=(now,)), now)
        fate = foresee(ruleset, alert, now)
        what_becomes = {
            "grows to": fate.severity,
            "by rule": fate.rule,
            "policy": fate.policy,
            "who, when": fate.timing,
        }
        explained.append(
            {
                "fingerprint": alert.fingerprint,
                "status": alert.status,
                "title": alert.title,
                "verdict": {
                    "severity": verdict.severity,
                    "cause": verdict.cause,
                    "rule": verdict.rule,
                    "policies": list(verdict.policies),
                    "reasons": [
                        {
                            "rule": reason.rule,
                            "say": reason.say,
                            "predicates": [list(each) for each in reason.predicates],
                        }
                        for reason in verdict.reasons
                    ],
                    "suppressed": None if verdict.suppressed is None else _mute(verdict.suppressed),
                    "held": {},
                    "next_at": verdict.next_at.isoformat() if verdict.next_at else None,
                },
                "foretold": {key: say for key, say in what_becomes.items() if say},
            }
        )
    rejected = [{"at": bad.at, "say": bad.say, "error": bad.code} for bad in parsed.rejected]
    return {"explained": explained, "rejected": rejected}


def _mute(by: "SuppressedBy") -> dict[str, Any]:
    until = by.until.isoformat() if by.until is not None else None
    return {"say": by.say, "until": until, "incident": by.incident or None}
