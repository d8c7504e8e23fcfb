"""`escalatord oncall` and `calendar`: who is on call, why and when, from the daemon or (with --rules) from files."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import click

from escalatord.cli import output
from escalatord.cli.client import EXIT_BAD_RULES, Client, NegativeError, with_client
from escalatord.clock import SystemClock

if TYPE_CHECKING:
    from escalatord.core.ruleset import Ruleset

WEEK_DAYS = 7
GAPS_SHOWN_MAX = 10
HATCHED = "////"


@click.command()
@click.argument("schedule", required=False)
@click.option("--at", "at", metavar="TIME", help='Such as "2026-12-25 03:00 Europe/Madrid".  [default: now]')
@click.option("--week", "days", flag_value=WEEK_DAYS, type=int, help="Show the shifts of the next seven days.")
@click.option("--rules", type=click.Path(path_type=Path), help="Answer from these rules; no daemon is asked.")
@with_client
def oncall(
    schedule: str | None, at: str | None, days: int | None, rules: Path | None, client: Client, as_json: bool
) -> None:
    """Say who is on call in SCHEDULE (default: in all), why, and where nobody will be. Exit 1 when it is nobody."""
    wanted = _instant(at) if at is not None else None
    if rules is not None:
        found = offline(rules, wanted or SystemClock().now(), days or 0)
    else:
        query = {"at": wanted.isoformat()} if wanted else {}
        found = dict(client.get("/api/v1/oncall", {**query, **({"days": str(days)} if days else {})} or None))
    names = [item["name"] for item in found["schedules"]]
    if schedule is not None:
        if schedule not in names:
            raise click.BadParameter(f"there is no such schedule; schedules: {', '.join(names)}", param_hint="SCHEDULE")
        found["schedules"] = [item for item in found["schedules"] if item["name"] == schedule]
    if as_json:
        output.say_json(found)
    else:
        asked = f"{output.clean(at)} = " if at is not None else ""
        output.say([f"at {asked}{output.clock(found['at'], day=True)}", *duty(found["schedules"])])
        output.say(line for item in found["schedules"] for line in ahead(item, full=days is not None))
    if not all(item["people"] for item in found["schedules"]):
        raise SystemExit(NegativeError.exit_code)


@click.command()
@click.argument("schedule")
@click.option("--subscribe", "as_url", is_flag=True, help="Print the address to subscribe to; who has it can read it.")
@click.option("--rules", type=click.Path(path_type=Path), help="Write it from these rules; no daemon is asked.")
@with_client
def calendar(schedule: str, as_url: bool, rules: Path | None, client: Client, as_json: bool) -> None:
    """Print SCHEDULE as iCalendar: the past week and the next 90 days."""
    if rules is None:
        content = client.get(f"/api/v1/calendars/{quote(schedule, safe='')}")
    elif as_url:
        raise click.UsageError("The address to subscribe to is the daemon's: leave --rules out.")
    else:
        content = {"schedule": schedule, "ics": _calendar(rules, schedule)}
    if as_json:
        output.say_json(dict(content))
    elif as_url:
        output.say(output.clean(content["url"]))
    else:
        # as bytes: lines end in CRLF, which a text stream would change on some systems
        click.echo(str(content["ics"]).encode(), nl=False)


def duty(schedules: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return schedules as a table: which, who, why."""
    rows = []
    for item in schedules:
        people = ", ".join(f"{turn['person']} ({turn['name']})" for turn in item["people"])
        because = "; ".join(dict.fromkeys(turn["because"] for turn in item["people"]))
        shadows = ", ".join(turn["person"] for turn in item.get("shadows", ()))
        rows.append([item["name"], people or "NOBODY", because + (f" · shadow: {shadows}" if shadows else "")])
    return output.table(rows, indent=2) if rows else ["  no schedules"]


def ahead(schedule: Mapping[str, Any], *, full: bool) -> list[str]:
    """Return what comes: gaps, hatched, and where `full` every shift between them."""
    rows = [
        [f"{HATCHED} {_span(gap)}", f"{HATCHED} NOBODY", gap["start"]]
        for gap in schedule.get("gaps", ())[:GAPS_SHOWN_MAX]
    ]
    for shift in schedule.get("shifts", ()) if full else ():
        who = f"{shift['person']} ({shift['name']})" + (", shadow" if shift["shadow"] else "")
        rows.append([_span(shift), f"{who}, {shift['because']}", shift["start"]])
    if not rows:
        return []
    rows.sort(key=lambda row: str(row.pop()))
    return ["", f"{output.clean(schedule['name'])}:", *output.table(rows, indent=2)]


def _span(item: Mapping[str, Any]) -> str:
    return f"{output.clock(item['start'], day=True)} to {output.clock(item['end'], day=True)}"


def offline(rules: Path, at: datetime, days: int = 0) -> dict[str, Any]:
    """Return what the API would say, from the files: overrides made at run time are not known here."""
    from pydantic_core import to_jsonable_python  # noqa: PLC0415 - rules are read only when they are asked for

    from escalatord.web.duty_json import duties  # noqa: PLC0415 - as above

    ruleset = _ruleset(rules)
    return {"at": at.isoformat(), "schedules": to_jsonable_python(duties(ruleset, at, (), days))}


def _calendar(rules: Path, schedule: str) -> str:
    from escalatord.web.duty_json import schedule_calendar  # noqa: PLC0415 - rules are read only when asked for

    ruleset = _ruleset(rules)
    if schedule not in ruleset.schedules:
        names = ", ".join(sorted(ruleset.schedules))
        raise click.BadParameter(f"there is no such schedule; schedules: {names}", param_hint="SCHEDULE")
    return schedule_calendar(ruleset.schedules[schedule], ruleset, SystemClock().now())


def _ruleset(rules: Path) -> "Ruleset":
    from escalatord.cli.check import as_text  # noqa: PLC0415 - rules are read only when they are asked for
    from escalatord.config.load import load  # noqa: PLC0415 - as above
    from escalatord.errors import ConfigError  # noqa: PLC0415 - as above

    try:
        return load(rules, need_secrets=False).ruleset
    except ConfigError as error:
        click.echo(as_text(error.findings, {}, rules), err=True)
        raise SystemExit(EXIT_BAD_RULES) from None


def _instant(text: str) -> datetime:
    from escalatord.core.wallclock import parse_when  # noqa: PLC0415 - time zones are read only when they are needed

    try:
        return parse_when(text, "UTC")
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--at") from None
