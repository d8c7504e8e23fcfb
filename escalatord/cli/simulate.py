"""`escalatord simulate`: the night that has not come yet, on the real engine, with nobody's phone ringing."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from escalatord.cli import output, payloads
from escalatord.cli.check import as_text
from escalatord.cli.client import EXIT_BAD_RULES, NegativeError
from escalatord.cli.options import rules_here
from escalatord.clock import SystemClock
from escalatord.config.load import load
from escalatord.core.incident import State
from escalatord.core.roster import ChannelKind
from escalatord.core.ruleset import Ruleset
from escalatord.core.units import format_duration, parse_duration_seconds
from escalatord.core.values import replace
from escalatord.core.wallclock import Style, format_local, parse_when, zone_exists
from escalatord.errors import ConfigError
from escalatord.sim import heatmap
from escalatord.sim.lines import Line, lines, paged
from escalatord.sim.people import Deed, Script, parse_people
from escalatord.sim.story import Given, Played, Story, StoryError, failures_of, play

FOR_DEFAULT = "2h"
MAP_FOR_DEFAULT = "28d"
TIME_COLUMNS = 14
ELAPSED_COLUMNS = 7
WHAT_COLUMNS = 34
WHAT_COLUMNS_MAX = 46
THEN_LINES_MAX = 6
ANSWERS = frozenset({Deed.ACK})
PLURALS: Mapping[str, str] = {"call": "calls", "mail": "mails", "webhook": "webhooks"}


@click.command()
@click.option(
    "--alert",
    "alerts",
    multiple=True,
    required=True,
    metavar="EXAMPLE",
    help="What comes in: the name of an example beside the rules, or a JSON file; may repeat.",
)
@click.option("--rules", type=click.Path(path_type=Path), help="The rules.  [default: rules, else those shipped]")
@click.option("--source", help="The source it is posted as.  [default: the one that the body fits]")
@click.option("--at", "at", metavar="TIME", help='When it begins: "2026-10-25 01:50 Europe/Madrid".  [default: now]')
@click.option("--people", "people", default="", help='What people do: "mia: no answer; bo: acks by call after 40s".')
@click.option(
    "--fail", "fail", multiple=True, metavar="CHANNEL", help="What fails: sms, twilio, call=busy; may repeat."
)
@click.option(
    "--set", "changes", multiple=True, metavar="LABEL=VALUE", help="Change a label; or annotation.NAME=VALUE."
)
@click.option("--for", "for_", metavar="DURATION", help=f"For how long.  [default: {FOR_DEFAULT}; a map: 28d]")
@click.option("--every", "every", metavar="DURATION", help="Draw who is first, this often, as a map.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def simulate(
    *,
    alerts: tuple[str, ...],
    rules: Path | None,
    source: str | None,
    at: str | None,
    people: str,
    fail: tuple[str, ...],
    changes: tuple[str, ...],
    for_: str | None,
    every: str | None,
    as_json: bool,
) -> None:
    """Play an alert through the rules: who is paged when and how, and what comes of it. Nothing leaves this machine.

    Exit 1 when somebody was to ack and nobody could, 3 when the rules are bad.
    """
    folder = rules or rules_here()
    ruleset = ruleset_of(folder)
    began, zone = when(at)
    length = _seconds(for_ or (MAP_FOR_DEFAULT if every else FOR_DEFAULT), "--for")
    try:
        scripts = parse_people(people)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--people") from None
    try:
        story = Story(
            at=began,
            given=tuple(_given(name, folder, ruleset, source, changes) for name in alerts),
            scripts=scripts,
            failures=failures_of(fail, ruleset),
            until_seconds=length,
        )
        alone = play(replace_scripts(story, {}, until_last_resort=True), ruleset)
        if every is not None:
            drawing = _map(alone, ruleset, heatmap.every(began, _seconds(every, "--every"), length), zone)
            output.say_json(drawing) if as_json else output.say(drawing["lines"])
            raise SystemExit(NegativeError.exit_code if drawing["gaps"] else 0)
        played = play(story, ruleset)
    except (StoryError, payloads.PayloadError) as error:
        raise click.UsageError(str(error)) from None
    told = lines(played, ruleset)
    if as_json:
        output.say_json(_json(played, told, summary(played, ruleset), worst_case(alone)))
    else:
        output.say(shown(told, zone))
        output.say(output.clean(f"{summary(played, ruleset)} · {worst_case(alone)}"))
    if unanswered(played, scripts):
        raise SystemExit(NegativeError.exit_code)


def ruleset_of(folder: Path) -> Ruleset:
    """Return the rules in a directory; exit 3 with every finding when they are bad."""
    try:
        return load(folder, need_secrets=False).ruleset
    except ConfigError as error:
        click.echo(as_text(error.findings, {}, folder), err=True)
        raise SystemExit(EXIT_BAD_RULES) from None


def replace_scripts(story: Story, scripts: Mapping[str, Script], *, until_last_resort: bool) -> Story:
    """Return the same story with other people in it."""
    return replace(story, scripts=scripts, until_last_resort=until_last_resort)


def shown(told: Sequence[Line], zone: str) -> Iterator[str]:
    """Yield what happened as aligned lines: wall clock, time since the beginning, what, and what came of it."""
    lengths = [len(output.clean(line.what)) for line in told if line.then]
    width = max((length for length in lengths if length <= WHAT_COLUMNS_MAX), default=WHAT_COLUMNS)
    for line in told:
        at = format_local(line.at, zone, Style.SECONDS_ZONE)
        head = f"{at:<{TIME_COLUMNS}} {format_duration(line.seconds):<{ELAPSED_COLUMNS}} "
        what = output.clean(line.what)
        if not line.then:
            yield output.cut(head + what, output.COLUMNS_MAX)
            continue
        left = f"{head}{what:<{width}}  "
        beside = textwrap.wrap(output.clean(line.then), output.COLUMNS_MAX - len(head) - width - 2)
        if len(left) > len(head) + width + 2:  # too long to stand beside anything
            yield output.cut(left.rstrip(), output.COLUMNS_MAX)
            left = ""
        for text in beside[:THEN_LINES_MAX]:
            yield f"{left:<{len(head) + width + 2}}{text}"
            left = ""


def summary(played: Played, ruleset: Ruleset) -> str:
    """Return how many people were paged by what: `pages 2 people, 2 sms, 2 calls`."""
    rows = paged(played.attempts, played)
    if not rows:
        return "pages nobody"
    counts: dict[ChannelKind, int] = {}
    for row in rows:
        kind = ruleset.channels[row.channel].kind
        counts[kind] = counts.get(kind, 0) + 1
    people = len({row.person for row in rows})
    ways = [f"{counts[kind]} {_plural(kind, counts[kind])}" for kind in ChannelKind if kind in counts]
    return ", ".join([f"pages {people} {'person' if people == 1 else 'people'}", *ways])


def worst_case(alone: Played) -> str:
    """Return what happens when nobody ever acks: `worst case without any ack: 6 people by 35m, last resort at 45m`."""
    opened = min((incident.opened_at for incident in alone.incidents), default=None)
    if opened is None:
        return "nobody would be paged without an ack either"
    told: dict[str, float] = {}
    for row in paged(alone.attempts, alone):
        told.setdefault(row.person, (alone.messages[row.reference].at - alone.began).total_seconds())
    count = (
        f"{len(told)} {'person' if len(told) == 1 else 'people'} by {format_duration(max(told.values(), default=0))}"
    )
    despaired = [
        row.entry.at for row in alone.journal if row.entry.kind == "last_resort" and row.entry.body.get("main")
    ]
    if not despaired:
        return f"worst case without any ack: {count}, no last resort within a week"
    at = format_duration((min(despaired) - alone.began).total_seconds())
    return f"worst case without any ack: {count}, last resort at {at}"


def unanswered(played: Played, scripts: Mapping[str, Script]) -> bool:
    """Return whether somebody was to ack, somebody was paged, and yet nobody has it."""
    wanted = any(script.deed in ANSWERS for script in scripts.values())
    return wanted and any(incident.state is State.OPEN for incident in played.incidents)


def _map(alone: Played, ruleset: Ruleset, instants: list[datetime], zone: str) -> dict[str, Any]:
    """Return the map of who is first: lines to print, and the gaps again."""
    if not alone.incidents:
        raise StoryError("this alert pages nobody, so nobody is first")
    if not instants:
        raise click.BadParameter("give a longer --for than --every", param_hint="--every")
    incident = alone.incidents[0]
    opened = next(row.entry for row in alone.journal if row.entry.kind == "opened")
    try:
        found = heatmap.slots(ruleset, incident, int(str(opened.body.get("start_at", 1))), instants)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--every") from None
    holes = heatmap.gaps(found, zone)
    head = f"who is first for {incident.opened_severity} by {incident.rule}, policy {incident.policy}"
    return {
        "lines": [output.clean(head), *heatmap.drawn(found, zone, output.COLUMNS_MAX), *map(output.clean, holes)],
        "gaps": holes,
        "slots": [{"at": slot.at.isoformat(), "first": list(slot.first), "gap": slot.gap} for slot in found],
    }


def _json(played: Played, told: Sequence[Line], summed: str, worst: str) -> dict[str, Any]:
    return {
        "began": played.began.isoformat(),
        "ended": played.ended.isoformat(),
        "summary": summed,
        "worst_case": worst,
        "lines": [
            {
                "at": line.at.isoformat(),
                "seconds": line.seconds,
                "kind": line.kind,
                "incident": line.incident or None,
                "track": line.track,
                "people": list(line.people),
                "channels": list(line.channels),
                "say": line.what,
                "then": line.then,
            }
            for line in told
        ],
        "incidents": [
            {
                "number": incident.number,
                "severity": incident.severity,
                "state": incident.state,
                "policy": incident.policy,
                "acknowledged_by": incident.acknowledged_by or None,
            }
            for incident in played.incidents
        ],
        "rejected": list(played.rejected),
    }


def _given(name: str, folder: Path, ruleset: Ruleset, source: str | None, changes: tuple[str, ...]) -> Given:
    content = payloads.read(name, folder)
    chosen = source
    if chosen is None and payloads.is_alertmanagers(content):
        adapters = [each for each, spec in ruleset.sources.items() if spec.adapter == payloads.ALERTMANAGER]
        chosen = next(iter(adapters), payloads.ALERTMANAGER)
    if chosen is None:
        fits = (each for each, spec in ruleset.sources.items() if spec.map and payloads.fits(content, spec.map))
        chosen = next(fits, None)
    if chosen is None:
        raise StoryError("no source in the rules fits this body; give --source NAME")
    pairs = [text.partition("=") for text in changes]
    wrong = next((text for text, (key, equals, _) in zip(changes, pairs, strict=True) if not (key and equals)), None)
    if wrong is not None:
        raise click.BadParameter(f'"{wrong}" is not LABEL=VALUE', param_hint="--set")
    return Given(source=chosen, content=content, changes={key: value for key, _, value in pairs})


def when(text: str | None) -> tuple[datetime, str]:
    """Return the instant, and the zone in which it was said (UTC when none was)."""
    if text is None:
        return SystemClock().now(), "UTC"
    try:
        at = parse_when(text, "UTC")
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--at") from None
    zone = text.split()[-1]
    return at, zone if zone_exists(zone) else "UTC"


def _seconds(text: str, option: str) -> float:
    try:
        return parse_duration_seconds(text)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint=option) from None


def _plural(kind: ChannelKind, count: int) -> str:
    return PLURALS.get(kind, kind) if count > 1 else kind
