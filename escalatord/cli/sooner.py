"""What `explain` derives from an incident as the API tells it: why it was not sooner, and how it was at some time."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, TypeAlias

import click

from escalatord.cli import output
from escalatord.core.units import format_duration

WORTH_TELLING_SECONDS = 1.0
SLOW_PAGE_SECONDS = 5.0
TIERS_TOLD_MAX = 6
FAILURES_TOLD_MAX = 6
LIMITED_TOLD_MAX = 6
FAILED = frozenset({"failed_permanent", "failed_temporary"})
LEFT_BECAUSE: Mapping[str, str] = {
    "timeout": "nobody acked in its {within}",
    "not_reached": "nobody in it could be reached",
    "passed_on": "it was passed on",
    "manual": "somebody paged the next tier by hand",
    "nobody_on_call": "nobody was on call there",
    "milestone": "a milestone was missed",
}

Incident: TypeAlias = Mapping[str, Any]


def why_not_sooner(incident: Incident) -> list[str]:
    """Return what cost time: the sender, the rules, limits, the providers, and every tier that was waited for."""
    budgets = [f"budget {line}" for line in (incident.get("explanation") or {}).get("budgets") or ()]
    told = [*_before_it_opened(incident), *_first_page(incident), *_tiers(incident), *_limits(incident)]
    return [*told, *_failures(incident), *budgets]


def muted_before(incident: Incident) -> list[str]:
    """Return what held back the page that opened it, else that nothing did."""
    opened: Mapping[str, Any] = next((entry for entry in incident["timeline"] if entry["kind"] == "opened"), {})
    why = (opened.get("body") or {}).get("why")
    by = why.get("suppressed") if isinstance(why, Mapping) else None
    if not by:
        return ["no silence matched, and no window or inhibition"]
    seconds = output.seconds_between(by["since"], by["until"]) or 0.0
    return [f"it was muted for {format_duration(seconds)}, until {output.clock(by['until'])}, by {by['by']}"]


def as_of(incident: Incident, text: str) -> Incident:
    """Return an incident as it was at the time that `text` says: what came later is left out, and so is what was next.

    UsageError when that is no time, or before it opened.
    """
    from escalatord.core.wallclock import parse_when  # noqa: PLC0415 - time zones are read only when they are needed

    try:
        at = parse_when(text, "UTC")
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--at") from None
    opened = output.instant(incident["opened_at"])
    if opened is not None and at < opened:
        say = f"{incident['label']} was opened at {output.clock(incident['opened_at'], day=True)}, later than that"
        raise click.BadParameter(say, param_hint="--at")
    timeline = [entry for entry in incident["timeline"] if _by(entry["at"], at)]
    last = next((entry["say"] for entry in reversed(timeline) if entry["kind"] not in ("delivery", "first_paged")), "")
    return {
        **incident,
        "timeline": timeline,
        "messages": [message for message in incident["messages"] if _by(message["at"], at)],
        "next": [],
        "as_of": f"at {output.clock(at.isoformat(), day=True)} the last that had happened: {last}",
    }


def _by(text: object, at: datetime) -> bool:
    told = output.instant(text)
    return told is not None and told <= at


def _before_it_opened(incident: Incident) -> Iterator[str]:
    seen = [alert for alert in incident["alerts_seen"] if alert.get("received_at")]
    if not seen:
        return
    first = min(seen, key=lambda alert: str(alert["received_at"]))
    told = output.seconds_between(first.get("starts_at"), first["received_at"])
    if told is not None and told >= WORTH_TELLING_SECONDS:
        yield f"its sender told of it {format_duration(told)} after it began"
    waited = output.seconds_between(first["received_at"], incident["opened_at"])
    if waited is not None and waited >= WORTH_TELLING_SECONDS:
        rule = f" ({incident['rule']})" if incident.get("rule") else ""
        yield f"the rules{rule} waited {format_duration(waited)} before they made it {incident['opened_severity']}"


def _first_page(incident: Incident) -> Iterator[str]:
    if incident.get("held_until"):
        yield f"held until {output.clock(incident['held_until'], day=True)} by hours of policy {incident['policy']}"
        return
    sent = output.seconds_between(incident["opened_at"], incident.get("first_paged_at"))
    if sent is None:
        yield "no provider has taken a page yet"
    elif sent >= SLOW_PAGE_SECONDS:
        yield f"the first page was taken by its provider only {format_duration(sent)} after it opened"


def _tiers(incident: Incident) -> Iterator[str]:
    """Yield why each later tier came when it did: how long the one before it had, and how that ended."""
    within: dict[str, tuple[object, float]] = {}
    told = 0
    for entry in incident["timeline"]:
        body = entry.get("body") or {}
        if entry["kind"] == "held":
            yield entry["say"][0].lower() + entry["say"][1:]
        if entry["kind"] not in ("tier_entered", "tier_repaged"):
            continue
        track = str(body.get("track", ""))
        tier, seconds = within.get(track, (None, 0.0))
        reason = LEFT_BECAUSE.get(str(body.get("reason")))
        if tier is not None and reason is not None and entry["kind"] == "tier_entered" and told < TIERS_TOLD_MAX:
            told += 1
            why = reason.format(within=format_duration(seconds))
            yield f"tier {body.get('to_tier')} of {track} only when tier {tier} was over: {why}"
        window = body.get("within_seconds")
        within[track] = (body.get("to_tier"), float(window) if isinstance(window, int | float) else 0.0)


def _limits(incident: Incident) -> Iterator[str]:
    """Yield which messages a limit kept, put together with others, or left out."""
    kinds = ("told_together", "limited", "moved_to_free")
    told = [entry for entry in incident["timeline"] if entry["kind"] in kinds]
    for entry in told[:LIMITED_TOLD_MAX]:
        yield f"{output.clock(entry['at'])} {entry['say']}"
    if len(told) > LIMITED_TOLD_MAX:
        yield f"… and {len(told) - LIMITED_TOLD_MAX} more that a limit changed"


def _failures(incident: Incident) -> list[str]:
    failed = [message for message in incident["messages"] if message.get("state") in FAILED]
    lines = [f"{output.clock(message['at'])} {message['say']}" for message in failed[:FAILURES_TOLD_MAX]]
    more = len(failed) - len(lines)
    return [*lines, f"… and {more} more that failed"] if more > 0 else lines
