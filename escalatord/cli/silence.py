"""`escalatord silence` and `escalatord maintenance`: who is quiet until when, by the API of the daemon."""

from collections.abc import Mapping
from typing import Any

import click

from escalatord.cli import output
from escalatord.cli.client import Client, NegativeError, Reply, with_client
from escalatord.core.units import format_duration

CONFLICT = 409
API = "/api/v1/silences"


@click.group()
def silence() -> None:
    """Mute alerts for a while, at once: they page nobody, and are looked at again the second it ends.

    Exceptions and statutory clocks page all the same. With --json for tools.
    """


@silence.command(
    epilog='\b\nExample:\n  escalatord silence add \'service="search", env!="prod"\' --for 2h --why reindexing'
)
@click.argument("matchers")
@click.option("--for", "for_", metavar="DURATION", help="How long: 2h. At most 30d.")
@click.option("--to", metavar="TIME", help='Or until when: "2026-10-24 09:00 Europe/Madrid".')
@click.option("--why", required=True, metavar="TEXT", help="Told to whoever asks why nobody was paged.")
@click.option("--apply-to-open", is_flag=True, help="Also take what matches out of open incidents.")
@with_client
def add(
    *,
    matchers: str,
    for_: str | None,
    to: str | None,
    why: str,
    apply_to_open: bool,
    client: Client,
    as_json: bool,
) -> None:
    """Mute what MATCHERS match, from now until --to or for --for."""
    if (to is None) == (for_ is None):
        raise click.UsageError("Say how long: --for DURATION or --to TIME.")
    given = {"matchers": matchers, "for": for_, "to": to, "why": why, "apply_to_open": apply_to_open, "via": "cli"}
    _tell(client.post(API, {key: value for key, value in given.items() if value}), as_json)


@silence.command("ls", epilog="\b\nExample:\n  escalatord silence ls")
@with_client
def ls(client: Client, as_json: bool) -> None:
    """List everything that mutes: who, why, until when, and how many alerts it holds back. That of the rules too."""
    _list(client, as_json, "silence maintenance inhibit")


@silence.command(epilog="\b\nExample:\n  escalatord silence expire 7")
@click.argument("number", metavar="ID", type=click.IntRange(1))
@with_client
def expire(number: int, client: Client, as_json: bool) -> None:
    """End the silence (or announced maintenance) ID now: what it held back is looked at again at once."""
    _tell(client.ask("DELETE", f"{API}/{number}?via=cli"), as_json)


@click.group()
def maintenance() -> None:
    """Announce planned work: alerts that match are muted from --from to --to. What recurs belongs into the rules.

    With --json for tools.
    """


@maintenance.command(
    "add",
    epilog='\b\nExample:\n  escalatord maintenance add \'cluster="old"\' --from "2026-10-10 22:00 Europe/Madrid" \\\n'
    '      --to "2026-10-11 04:00 Europe/Madrid" --why CHG-4411',
)
@click.argument("matchers")
@click.option(
    "--from", "from_", required=True, metavar="TIME", help='"2026-10-10 22:00 Europe/Madrid"; default zone UTC.'
)
@click.option("--to", required=True, metavar="TIME", help="When it ends; at most 30 days later.")
@click.option("--why", required=True, metavar="TEXT", help="Told to whoever asks why nobody was paged.")
@click.option("--apply-to-open", is_flag=True, help="Also take what matches out of open incidents when it begins.")
@with_client
def announce(
    *,
    matchers: str,
    from_: str,
    to: str,
    why: str,
    apply_to_open: bool,
    client: Client,
    as_json: bool,
) -> None:
    """Mute what MATCHERS match from --from until --to."""
    given = {"matchers": matchers, "from": from_, "to": to, "why": why, "kind": "maintenance", "via": "cli"}
    _tell(client.post(API, {**given, "apply_to_open": apply_to_open}), as_json)


@maintenance.command("ls", epilog="\b\nExample:\n  escalatord maintenance ls")
@with_client
def planned(client: Client, as_json: bool) -> None:
    """List planned work: announced here, and in the rules."""
    _list(client, as_json, "maintenance")


def _list(client: Client, as_json: bool, kinds: str) -> None:
    found = client.get(API)
    mutes = [one for one in found["silences"] if one["kind"] in kinds.split()]
    if as_json:
        output.say_json({**found, "silences": mutes})
        return
    output.say(f"at {output.clock(found['at'], day=True)}")
    rows = [_row(one) for one in mutes]
    output.say(output.table(rows, indent=2) or ["  nothing is muted"])


def _row(one: Mapping[str, Any]) -> list[str]:
    number = str(one["id"]) if one["id"] is not None else "rules"
    return [
        number,
        one["kind"],
        one["matchers"],
        _when(one),
        f"{one['holds_back']} held",
        f"{one['why']}, by {one['by']}",
    ]


def _when(one: Mapping[str, Any]) -> str:
    if one["when"]:
        return f"while {one['when']} is open" + ("" if one["active"] else " (not now)")
    weekly = " weekly" if one["recurs"] else ""
    if one["active"]:
        return f"until {_minute(one['end'])}{weekly}"
    return f"from {_minute(one['start'])}{weekly}"


def _minute(text: object) -> str:
    """Return an instant of the API to the minute, in the zone of this terminal."""
    at = output.instant(text)
    return f"{at.astimezone():%Y-%m-%d %H:%M}" if at is not None else "-"


def _tell(reply: Reply, as_json: bool) -> None:
    """Print what came of it; exit 1 when nothing changed."""
    content = reply.content
    if as_json:
        output.say_json(dict(content))
    elif reply.status == CONFLICT:
        raise NegativeError(output.clean(f"{content['say']} {content.get('fix', '')}".strip()))
    else:
        output.say(output.clean(content["say"]))
        if content["reason"] == "added":
            one = content["silence"]
            lasts = output.seconds_between(one["start"], one["end"]) or 0.0
            output.say(f"That is {format_duration(lasts)}. End it with: escalatord silence expire {one['id']}")
    if reply.status == CONFLICT:
        raise SystemExit(NegativeError.exit_code)
