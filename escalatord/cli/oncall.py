"""`escalatord oncall`: who is on call and why, from the daemon or, with --rules, from the files alone."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from escalatord.cli import output
from escalatord.cli.client import EXIT_BAD_RULES, Client, NegativeError, with_client
from escalatord.clock import SystemClock


@click.command()
@click.argument("schedule", required=False)
@click.option("--at", "at", metavar="TIME", help='Such as "2026-12-25 03:00 Europe/Madrid".  [default: now]')
@click.option("--rules", type=click.Path(path_type=Path), help="Answer from these rules; no daemon is asked.")
@with_client
def oncall(schedule: str | None, at: str | None, rules: Path | None, client: Client, as_json: bool) -> None:
    """Say who is on call in SCHEDULE (default: in all), and why. Exit 1 when somewhere it is nobody."""
    wanted = _instant(at) if at is not None else None
    if rules is not None:
        found = offline(rules, wanted or SystemClock().now())
    else:
        found = dict(client.get("/api/v1/oncall", {"at": wanted.isoformat()} if wanted else None))
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
    if not all(item["people"] for item in found["schedules"]):
        raise SystemExit(NegativeError.exit_code)


def duty(schedules: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return schedules as a table: which, who, why."""
    rows = []
    for item in schedules:
        people = ", ".join(f"{turn['person']} ({turn['name']})" for turn in item["people"])
        because = "; ".join(dict.fromkeys(turn["because"] for turn in item["people"]))
        rows.append([item["name"], people or "NOBODY", because])
    return output.table(rows, indent=2) if rows else ["  no schedules"]


def offline(rules: Path, at: datetime) -> dict[str, Any]:
    """Return what the API would say, from the files: overrides made at run time are not known here."""
    from escalatord.cli.check import as_text  # noqa: PLC0415 - rules are read only when they are asked for
    from escalatord.config.load import load  # noqa: PLC0415 - as above
    from escalatord.core.schedule import on_call  # noqa: PLC0415 - as above
    from escalatord.errors import ConfigError  # noqa: PLC0415 - as above

    try:
        ruleset = load(rules, need_secrets=False).ruleset
    except ConfigError as error:
        click.echo(as_text(error.findings, {}, rules), err=True)
        raise SystemExit(EXIT_BAD_RULES) from None
    schedules = [
        {
            "name": name,
            "timezone": schedule.timezone,
            "people": [
                {
                    "person": turn.person,
                    "name": ruleset.people[turn.person].name if turn.person in ruleset.people else turn.person,
                    "because": turn.because,
                }
                for turn in on_call(schedule, at)
            ],
        }
        for name, schedule in sorted(ruleset.schedules.items())
    ]
    return {"at": at.isoformat(), "schedules": schedules}


def _instant(text: str) -> datetime:
    from escalatord.core.wallclock import parse_when  # noqa: PLC0415 - time zones are read only when they are needed

    try:
        return parse_when(text, "UTC")
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--at") from None
