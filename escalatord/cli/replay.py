"""`escalatord replay`: a recorded night under other rules: who would have been paged when, beside who was.

Exit: 0 the night would have been the same, 1 it would not, 3 the rules are bad.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import click

from escalatord.cli import output
from escalatord.cli.client import EXIT_NEGATIVE
from escalatord.cli.options import rules_here, storage_address, storage_options
from escalatord.cli.simulate import ruleset_of
from escalatord.clock import SystemClock
from escalatord.core.units import format_duration
from escalatord.core.wallclock import Style, format_local, parse_when, zone_exists
from escalatord.errors import StoreRefusedError
from escalatord.sim.compared import Pair, Sum, pairs, summed
from escalatord.sim.recording import Course, courses_of, recording_of
from escalatord.sim.replaying import replay as replayed
from escalatord.sim.story import STORY_SECONDS_MAX

PEOPLE_SHOWN_MAX = 8
TITLE_COLUMNS_MAX = 60
NOBODY = "no incident"
NIGHT_HOURS = 10


@click.command()
@storage_options
@click.option("--since", "since_text", required=True, metavar="TIME", help='From "2026-11-20 22:00 Europe/Madrid" on.')
@click.option("--until", "until_text", metavar="TIME", help="Until then.  [default: 10h after --since]")
@click.option(
    "--rules",
    type=click.Path(path_type=Path, exists=True),
    help="The rules to try.  [default: those here]",
)
@click.option("--all", "everything", is_flag=True, help="Also show the incidents that would be the same.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def replay(
    *,
    storage_url: str | None,
    storage_path: Path | None,
    since_text: str,
    until_text: str | None,
    rules: Path | None,
    everything: bool,
    as_json: bool,
) -> None:
    """Tell a recorded night again under other rules, and say who would have been paged when, beside who was.

    The alerts that a daemon took are played through the engine in virtual time; people answer their pages as fast as
    they did. Nothing is sent or changed; the database is only read, also while the daemon runs.
    """
    from escalatord.store.peek import recorded_night  # noqa: PLC0415 - SQLAlchemy only where a database is asked

    folder = rules or rules_here()
    ruleset = ruleset_of(folder)
    since, until, zone = period(since_text, until_text)
    now = SystemClock().now()
    until = now if since < now < until else until  # what is still to come cannot be compared
    try:
        night = recorded_night(storage_address(storage_url, storage_path), since, until)
    except StoreRefusedError as error:
        raise click.UsageError(str(error)) from None
    recording = recording_of(night)
    was = courses_of(night.journal, night.attempts)
    told = replayed(recording, ruleset)
    found = pairs(was, told.courses)
    sums = (summed(was, night.attempts, ruleset), summed(told.courses, told.attempts, ruleset))
    unsaid = [spoken.word.person for spoken in told.unsaid]
    if as_json:
        output.say_json(_json((since, until), ruleset.hash, found, sums, unsaid))
    else:
        first, last = (format_local(at, zone, Style.DATE) for at in (since, until))
        head = f"rules {ruleset.hash[:6]} over {first} to {last} {zone}: "
        output.say(f"{head}{len(recording.messages)} messages of alerts, {len(recording.spoken)} words of people")
        shown = found if everything else [pair for pair in found if pair.differs]
        for pair in shown:
            output.say(lines(pair, zone))
        output.say(compared(found, sums, unsaid))
    if any(pair.differs for pair in found):
        raise SystemExit(EXIT_NEGATIVE)


def period(since_text: str, until_text: str | None) -> tuple[datetime, datetime, str]:
    """Return from when to when, and the zone in which it was said; UsageError when it is no period."""
    zone = since_text.rsplit(maxsplit=1)[-1] if since_text.split() else ""
    zone = zone if zone_exists(zone) else "UTC"
    try:
        since = parse_when(since_text, "UTC")
        until = parse_when(until_text, zone) if until_text else since + timedelta(hours=NIGHT_HOURS)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    if not 0 < (until - since).total_seconds() <= STORY_SECONDS_MAX:
        raise click.UsageError(f"--until comes after --since, at most {STORY_SECONDS_MAX / 86400:.0f} days.")
    return since, until, zone


def lines(pair: Pair, zone: str) -> Iterator[str]:
    """Yield an incident as it was, above what it would be."""
    one = pair.was or pair.would_be
    if one is None:
        return
    label = f"INC-{pair.was.number}" if pair.was else "new"
    at = format_local(one.opened_at, zone, Style.SECONDS_ZONE)
    yield output.cut(f"{label:<10}{at}  {output.clean(one.title)[:TITLE_COLUMNS_MAX]}", output.COLUMNS_MAX)
    for name, course in (("was", pair.was), ("would be", pair.would_be)):
        yield output.cut(f"  {name:<10}{output.clean(_course(course))}", output.COLUMNS_MAX)


def _course(course: Course | None) -> str:
    if course is None:
        return NOBODY
    paged = [f"{who} {format_duration(round(seconds))}" for who, seconds in course.paged]
    more = len(paged) - PEOPLE_SHOWN_MAX
    people = ", ".join(paged[:PEOPLE_SHOWN_MAX]) + (f" and {more} more" if more > 0 else "") or "nobody paged"
    held = f"held {format_duration(round(course.held_seconds))}, " if course.held_seconds else ""
    last = " · last resort" if course.last_resort else ""
    ack = f" · ack {course.acked[0]} {format_duration(round(course.acked[1]))}" if course.acked else " · no ack"
    return f"{course.severity}, {course.policy}: {held}{people}{last}{ack}"


def compared(found: Sequence[Pair], sums: tuple[Sum, Sum], unsaid: Sequence[str]) -> Iterator[str]:
    """Yield what the night came to, as it was and as it would be."""
    turned = sum(pair.differs for pair in found)
    yield f"{len(found)} incidents, {turned or 'none'} would have gone another way"
    was, is_ = sums
    rows = [
        ["", "was", "would be"],
        ["incidents", str(was.incidents), str(is_.incidents)],
        ["people paged", str(was.people), str(is_.people)],
        ["messages that page", str(was.messages), str(is_.messages)],
        ["sleep interrupted", str(was.woken), str(is_.woken)],
        ["acked", str(was.acked), str(is_.acked)],
        ["mean time to ack", _mean(was), _mean(is_)],
        ["last resorts", str(was.last_resorts), str(is_.last_resorts)],
    ]
    yield from output.table(rows, indent=2)
    if unsaid:
        who = ", ".join(dict.fromkeys(unsaid))
        yield output.clean(f"  {len(unsaid)} recorded words of {who} left out: nobody would have paged them for it")


def _mean(one: Sum) -> str:
    return "-" if one.ack_seconds is None else format_duration(round(one.ack_seconds))


def _json(
    span: tuple[datetime, datetime], rules: str, found: Sequence[Pair], sums: tuple[Sum, Sum], unsaid: Sequence[str]
) -> Mapping[str, Any]:
    return {
        "since": span[0].isoformat(),
        "until": span[1].isoformat(),
        "rules": rules,
        "incidents": [
            {"differs": pair.differs, "was": _plain(pair.was), "would_be": _plain(pair.would_be)} for pair in found
        ],
        "was": asdict(sums[0]),
        "would_be": asdict(sums[1]),
        "left_out": list(unsaid),
    }


def _plain(course: Course | None) -> Mapping[str, Any] | None:
    if course is None:
        return None
    return {
        "number": course.number,
        "opened_at": course.opened_at.isoformat(),
        "title": course.title,
        "severity": course.severity,
        "policy": course.policy,
        "paged": [{"person": who, "seconds": seconds} for who, seconds in course.paged],
        "acked": {"person": course.acked[0], "seconds": course.acked[1]} if course.acked else None,
        "last_resort": course.last_resort,
        "held_seconds": course.held_seconds,
    }
