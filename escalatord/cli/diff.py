"""`escalatord diff OLD NEW`: what other rules would change, in meaning, and for the alerts that were recorded.

Exit: 0 nothing changes, 1 something does, 3 one of the rule sets is bad.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from escalatord.cli import output, payloads
from escalatord.cli.client import EXIT_NEGATIVE
from escalatord.cli.options import storage_address, storage_options
from escalatord.cli.simulate import ruleset_of, when
from escalatord.core.alert import Alert, AlertStatus
from escalatord.core.difference import ADDED, DUTY_DAYS, REMOVED, Change, Duty, changes, duties
from escalatord.core.foresight import Fate, foresee
from escalatord.core.ruleset import Ruleset
from escalatord.core.wallclock import Style, format_local
from escalatord.errors import BadInputError, StoreRefusedError
from escalatord.ingest import parse

ALERTS_MAX = 10_000
ALERTS_DEFAULT = 1_000
WHAT_COLUMNS_MAX = 56
FATE_COLUMNS = 10
NOTHING = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """An alert that would go another way: which one, where it is from, and what becomes of it before and after."""

    title: str
    origin: str
    before: Fate
    after: Fate

    @property
    def parts(self) -> list[tuple[str, str, str]]:
        """Return what differs as (what, before, after)."""
        pairs = [(f.name, getattr(self.before, f.name), getattr(self.after, f.name)) for f in fields(Fate)]
        return [(name, was or NOTHING, is_ or NOTHING) for name, was, is_ in pairs if was != is_]


@click.command()
@click.argument("old", type=click.Path(path_type=Path, exists=True))
@click.argument("new", type=click.Path(path_type=Path, exists=True))
@click.option(
    "--alerts",
    "folders",
    multiple=True,
    type=click.Path(path_type=Path, exists=True),
    help="Recorded bodies: JSON files, or directories of them; may repeat.  [default: payloads/ beside OLD]",
)
@storage_options
@click.option("--limit", type=click.IntRange(1, ALERTS_MAX), default=ALERTS_DEFAULT, show_default=True, help="Alerts.")
@click.option("--at", "at", metavar="TIME", help='As if it were "2026-10-24 03:11 Europe/Madrid".  [default: now]')
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def diff(
    *,
    old: Path,
    new: Path,
    folders: tuple[Path, ...],
    storage_url: str | None,
    storage_path: Path | None,
    limit: int,
    at: str | None,
    as_json: bool,
) -> None:
    """Say what the rules in NEW mean that those in OLD do not: policies, tiers, people, times; lines do not count.

    Recorded alerts are asked of both: those that would get another severity, policy, first person or timing are told.
    """
    before, after = ruleset_of(old), ruleset_of(new)
    now, zone = when(at)
    found = changes(before, after)
    shifted = duties(before, after, now)
    looked, turns = 0, []
    for origin, pair in _recorded(old, folders, before, after, now):
        looked += 1
        turns += _turn(origin, pair, (before, after), now)
    if storage_url is not None or storage_path is not None:
        for alert in _stored(storage_address(storage_url, storage_path), limit):
            looked += 1
            turns += _turn(f"{alert.source}/{alert.fingerprint}", (alert, alert), (before, after), now)
    if as_json:
        output.say_json(_json((before.hash, after.hash), found, shifted, turns, looked))
    else:
        output.say(told((before.hash, after.hash), found, shifted, zone))
        output.say(told_alerts(turns, looked))
    if found or shifted or turns:
        raise SystemExit(EXIT_NEGATIVE)


def told(hashes: tuple[str, str], found: Sequence[Change], shifted: Sequence[Duty], zone: str) -> Iterator[str]:
    """Yield the differences in meaning, one a line, and the schedules that name others."""
    yield f"rules {hashes[0][:6]} → {hashes[1][:6]}: {len(found) or 'no'} differences in meaning"
    width = min(WHAT_COLUMNS_MAX, max((len(change.what) for change in found), default=0))
    for change in found:
        what = output.clean(change.what)
        turn = f"{change.before or NOTHING} → {change.after or NOTHING}"
        if change.after in (ADDED, REMOVED) and not change.before:
            turn = change.after
        elif change.before == change.after:
            turn = "changed"  # an address or a setting, which is not shown
        yield output.clean(f"  {what:<{width}}  {turn}", output.COLUMNS_MAX)
    for duty in shifted:
        at = format_local(duty.at, zone, Style.DATE)
        who = f"{', '.join(duty.before) or 'nobody'} → {', '.join(duty.after) or 'nobody'}"
        yield output.clean(f"  schedule {duty.schedule}: other people for {duty.hours} h of {DUTY_DAYS} days")
        yield output.clean(f"    first {at}: {who}", output.COLUMNS_MAX)


def told_alerts(turns: Sequence[Turn], looked: int) -> Iterator[str]:
    """Yield the alerts that would go another way, each with what changes, before above after."""
    if not looked:
        yield "no recorded alerts were looked at; give --alerts DIRECTORY or --storage.path FILE"
        return
    yield f"alerts: {looked} looked at, {len(turns) or 'none'} would go another way"
    for turn in turns:
        yield output.clean(f"  {turn.origin}: {turn.title}", output.COLUMNS_MAX)
        for name, was, is_ in turn.parts:
            yield output.clean(f"    {name:<{FATE_COLUMNS}}{was}", output.COLUMNS_MAX)
            yield output.clean(f"    {'→':>{FATE_COLUMNS - 1}} {is_}", output.COLUMNS_MAX)


def _recorded(
    old: Path, folders: Iterable[Path], before: Ruleset, after: Ruleset, now: datetime
) -> Iterator[tuple[str, tuple[Alert, Alert | None]]]:
    """Yield every alert of the recorded bodies as each of the rule sets reads it."""
    places = [*folders] or [(old if old.is_dir() else old.parent) / "payloads"]
    files = [file for place in places for file in (sorted(place.glob("*.json")) if place.is_dir() else [place])]
    for file in [file for file in files if file.is_file()][:ALERTS_MAX]:
        content = payloads.read(str(file), old)
        first = _read(before, content, now)
        second = {alert.fingerprint: alert for alert in _read(after, content, now)}
        for alert in first:
            if alert.status is AlertStatus.FIRING:
                yield file.stem, (alert, second.get(alert.fingerprint))


def _read(ruleset: Ruleset, content: payloads.Json, now: datetime) -> tuple[Alert, ...]:
    """Return the alerts of a body as the first source reads it that can; none when no source can."""
    wanted = payloads.is_alertmanagers(content)
    for spec in ruleset.sources.values():
        if wanted == (spec.adapter == payloads.ALERTMANAGER) and (wanted or payloads.fits(content, spec.map)):
            try:
                return parse(spec, json.dumps(content).encode(), "application/json", now).alerts
            except BadInputError:
                continue
    return ()


def _stored(url: str, limit: int) -> list[Alert]:
    from escalatord.store.peek import recorded_alerts  # noqa: PLC0415 - SQLAlchemy only where a database is asked

    try:
        return [record.alert for record in recorded_alerts(url, limit)]
    except StoreRefusedError as error:
        raise click.UsageError(str(error)) from None


def _turn(
    origin: str, pair: tuple[Alert, Alert | None], rulesets: tuple[Ruleset, Ruleset], now: datetime
) -> list[Turn]:
    alert, other = pair
    was = foresee(rulesets[0], alert, now)
    is_ = foresee(rulesets[1], other, now) if other is not None else Fate(rule="no source reads it")
    return [] if was == is_ else [Turn(title=alert.title, origin=origin, before=was, after=is_)]


def _json(
    hashes: tuple[str, str], found: Sequence[Change], shifted: Sequence[Duty], turns: Sequence[Turn], looked: int
) -> Mapping[str, Any]:
    return {
        "rules": list(hashes),
        "changes": [change._asdict() for change in found],
        "duties": [
            {
                "schedule": duty.schedule,
                "hours": duty.hours,
                "at": duty.at.isoformat(),
                "before": list(duty.before),
                "after": list(duty.after),
            }
            for duty in shifted
        ],
        "alerts_looked_at": looked,
        "alerts": [
            {
                "origin": turn.origin,
                "title": turn.title,
                "changes": [{"what": name, "before": was, "after": is_} for name, was, is_ in turn.parts],
            }
            for turn in turns
        ],
    }
