"""`escalatord away`: who is not available, to targets that ask for that, by the API of the daemon."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import click

from escalatord.cli import output
from escalatord.cli.client import Client, NegativeError, Reply, with_client
from escalatord.cli.override import CONFLICT, OverrideVerbs, minute


@click.group(cls=OverrideVerbs, subcommand_metavar="PERSON [OPTIONS] | list | cancel PERSON")
def away() -> None:
    """Note that PERSON is away until --until or for --for: `& available` passes them over. With --json for tools."""


@away.command("add", epilog="\b\nExample:\n  escalatord away ana --until 18:00 --why dentist")
@click.argument("person")
@click.option("--from", "from_", metavar="TIME", help="Since when, in their zone.  [default: now]")
@click.option("--until", "to", metavar="TIME", help='When they are back: 18:00, or "2026-12-27 08:00", in their zone.')
@click.option("--for", "for_", metavar="DURATION", help="How long, instead of --until: 4h.")
@click.option("--why", default="", metavar="TEXT", help="Shown as the reason why they were not paged.")
@with_client
def add(
    *, person: str, from_: str | None, to: str | None, for_: str | None, why: str, client: Client, as_json: bool
) -> None:
    """Note that PERSON is away from --from (default: now) until --until or for --for."""
    if (to is None) == (for_ is None):
        raise click.UsageError("Say how long: --until TIME or --for DURATION.")
    given = {"person": person, "from": from_, "to": to, "for": for_, "why": why, "via": "cli"}
    _tell(client.post("/api/v1/away", {key: value for key, value in given.items() if value}), as_json)


@away.command("list", epilog="\b\nExample:\n  escalatord away list")
@click.argument("person", required=False)
@with_client
def list_(person: str | None, client: Client, as_json: bool) -> None:
    """List who is away now or will be: PERSON, or everybody."""
    found = client.get("/api/v1/away", {"person": person} if person else None)
    if as_json:
        output.say_json(dict(found))
        return
    rows = [_row(one) for one in found["away"]]
    output.say([f"at {output.clock(found['at'], day=True)}", *(output.table(rows, indent=2) or ["  nobody is away"])])


@away.command(epilog="\b\nExample:\n  escalatord away cancel ana")
@click.argument("person")
@with_client
def cancel(person: str, client: Client, as_json: bool) -> None:
    """Note that PERSON is back: what was noted of them here ends now, what the rules say stays."""
    _tell(client.post(f"/api/v1/away/{quote(person, safe='')}/cancel", {"via": "cli"}), as_json)


def _tell(reply: Reply, as_json: bool) -> None:
    """Print what came of it; exit 1 when nothing changed."""
    if as_json:
        output.say_json(dict(reply.content))
    elif reply.status != CONFLICT:
        output.say(output.clean(reply.content["say"]))
    else:
        raise NegativeError(output.clean(f"{reply.content['say']} {reply.content.get('fix', '')}".strip()))
    if reply.status == CONFLICT:
        raise SystemExit(NegativeError.exit_code)


def _row(one: Mapping[str, Any]) -> list[str]:
    by = f"by {one['by']}" if one["by"] else "rules"
    return [str(one["person"]), f"{minute(one['start'])} to {minute(one['end'])}", str(one["why"]), by]
