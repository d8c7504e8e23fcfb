"""`escalatord override` and `escalatord swap`: who stands in, in force at once, by the API of the daemon."""

from collections.abc import Mapping
from typing import Any

import click

from escalatord.cli import output
from escalatord.cli.client import Client, NegativeError, Reply, with_client

ADD = "add"
CONFLICT = 409
CANCELLED = "cancelled"


class OverrideVerbs(click.Group):
    """`list`, `cancel` and `add`; what begins with none of these is something to add."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that is meant; `override SCHEDULE PERSON` is short for `override add SCHEDULE PERSON`.

        `away PERSON` is short for `away add PERSON` in the same way.
        """
        if args and args[0] not in self.commands:
            args = [ADD, *args]
        return super().resolve_command(ctx, args)


@click.group(cls=OverrideVerbs, subcommand_metavar="SCHEDULE PERSON [OPTIONS] | list | cancel ID")
def override() -> None:
    """Let PERSON stand in for SCHEDULE, at once: --from (default: now) and --to or --for. With --json for tools."""


@override.command(ADD, epilog="\b\nExample:\n  escalatord override payments-primary bo --for 8h --why dentist")
@click.argument("schedule")
@click.argument("person")
@click.option("--from", "from_", metavar="TIME", help='Such as "2026-12-24 08:00", in the schedule\'s zone.')
@click.option("--to", metavar="TIME", help="When it ends.")
@click.option("--for", "for_", metavar="DURATION", help="How long, instead of --to: 8h.")
@click.option("--why", default="", metavar="TEXT", help="Shown as the reason why they are on call.")
@with_client
def add(
    *,
    schedule: str,
    person: str,
    from_: str | None,
    to: str | None,
    for_: str | None,
    why: str,
    client: Client,
    as_json: bool,
) -> None:
    """Let PERSON stand in for SCHEDULE from --from (default: now) until --to or for --for."""
    if (to is None) == (for_ is None):
        raise click.UsageError("Say how long: --to TIME or --for DURATION.")
    given = {"schedule": schedule, "person": person, "from": from_, "to": to, "for": for_, "why": why, "via": "cli"}
    _tell(client.post("/api/v1/overrides", {key: value for key, value in given.items() if value}), as_json)


@override.command("list", epilog="\b\nExample:\n  escalatord override list payments-primary")
@click.argument("schedule", required=False)
@with_client
def list_(schedule: str | None, client: Client, as_json: bool) -> None:
    """List who stands in, of SCHEDULE or of all: what is over is left out."""
    found = client.get("/api/v1/overrides", {"schedule": schedule} if schedule else None)
    if as_json:
        output.say_json(dict(found))
        return
    rows = [_row(one) for one in found["overrides"]]
    output.say([f"at {output.clock(found['at'], day=True)}", *(output.table(rows, indent=2) or ["  no overrides"])])


@override.command(epilog="\b\nExample:\n  escalatord override cancel 7")
@click.argument("number", metavar="ID", type=click.IntRange(1))
@with_client
def cancel(number: int, client: Client, as_json: bool) -> None:
    """Cancel the override ID (see list); one that has begun ends now."""
    _tell(client.post(f"/api/v1/overrides/{number}/cancel", {"via": "cli"}), as_json)


@click.command()
@click.argument("schedule")
@click.argument("person")
@click.argument("other")
@click.option("--after", metavar="TIME", help="Of the shifts that start at or after it.  [default: now]")
@click.option("--why", default="", metavar="TEXT", help="Shown beside the reason why they are on call.")
@with_client
def swap(*, schedule: str, person: str, other: str, after: str | None, why: str, client: Client, as_json: bool) -> None:
    """Let PERSON and OTHER exchange their next shifts in SCHEDULE: both at once, or neither."""
    given = {"schedule": schedule, "person": person, "with": other, "after": after, "why": why, "via": "cli"}
    _tell(client.post("/api/v1/swaps", {key: value for key, value in given.items() if value}), as_json)


def _tell(reply: Reply, as_json: bool) -> None:
    """Print what came of it; exit 1 when nothing changed."""
    if as_json:
        output.say_json(dict(reply.content))
    elif reply.status != CONFLICT:
        output.say(output.clean(reply.content["say"]))
        if reply.content["reason"] != CANCELLED:
            numbers = [str(one["id"]) for one in reply.content["overrides"]]
            output.say(f"Take it back with: {' and '.join(f'escalatord override cancel {each}' for each in numbers)}")
    else:
        raise NegativeError(output.clean(f"{reply.content['say']} {reply.content.get('fix', '')}".strip()))
    if reply.status == CONFLICT:
        raise SystemExit(NegativeError.exit_code)


def _row(one: Mapping[str, Any]) -> list[str]:
    number = str(one["id"]) if one["id"] is not None else "rules"
    start, end = (minute(one[key]) for key in ("start", "end"))
    by = f"by {one['by']}" if one["by"] else ""
    return [number, one["schedule"], str(one["person"]), f"{start} to {end}", one["why"], by]


def minute(text: object) -> str:
    """Return an instant of the API to the minute, in the zone of this terminal."""
    at = output.instant(text)
    return f"{at.astimezone():%Y-%m-%d %H:%M}" if at is not None else "-"
