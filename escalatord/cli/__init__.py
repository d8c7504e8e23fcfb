"""The command line: a table of verbs, each imported only when it is called.

Exit: 0 fine, 1 findings or a negative answer, 2 usage, 3 bad rules, 4 daemon not reachable, 5 not allowed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module

import click

from escalatord import __version__

WIDTH_CHARACTERS = 100


@dataclass(frozen=True, slots=True)
class Verb:
    """Where a verb lives (`module:name` below escalatord.cli), what it does in one line, and an example."""

    place: str
    say: str
    example: str


FAMILIES: Mapping[str, Mapping[str, Verb]] = {
    "Run it": {
        "serve": Verb("serve:serve", "Run the daemon.", "escalatord serve --rules rules --storage.path escalatord.db"),
        "demo": Verb("demo:demo", "Try everything on this machine: no account, no real phone.", "escalatord demo"),
        "init": Verb("init:init", "Write a starter rule set into a directory.", "escalatord init rules"),
        "fire": Verb(
            "fire:fire", "Send an example alert to the daemon.", "escalatord fire checkout-5xx --set region=us-east"
        ),
    },
    "Understand it": {
        "check": Verb("check:check", "Say everything that is wrong with the rules.", "escalatord check rules --strict"),
        "explain": Verb(
            "explain:explain",
            "Say why an incident or alert paged these people, or nobody.",
            "escalatord explain INC-142\n  escalatord explain --alert rules/payloads/checkout-5xx.json",
        ),
        "oncall": Verb(
            "oncall:oncall",
            "Say who is on call, and why.",
            'escalatord oncall payments-primary --at "2026-12-25 03:00 Europe/Madrid"',
        ),
        "simulate": Verb(
            "simulate:simulate",
            "Play an alert through the rules, in no time, with nobody's phone.",
            'escalatord simulate --alert checkout-5xx --at "2026-10-25 01:50 Europe/Madrid" \\\n'
            '      --people "ana: no answer; bo: acks by call after 40s"\n'
            '  escalatord simulate --alert disk-full --every 30m --for 28d --at "2026-12-21 00:00 Europe/Madrid"',
        ),
        "test": Verb(
            "cases:test", "Run the tests that stand beside the rules.", "escalatord test rules --junit tests.xml"
        ),
        "diff": Verb(
            "diff:diff",
            "Say what other rules would change, and for which alerts.",
            "escalatord diff rules ../new-rules --alerts rules/payloads",
        ),
        "replay": Verb(
            "replay:replay",
            "Tell a recorded night again under other rules.",
            'escalatord replay --storage.path escalatord.db --since "2026-11-20 22:00 Europe/Madrid" \\\n'
            "      --rules ../new-rules",
        ),
        "fmt": Verb("fmt:fmt", "Write rule files tidily, meaning untouched.", "escalatord fmt rules --check"),
        "schema": Verb("check:schema", "Print the JSON Schema of the rules.", "escalatord schema > rules.schema.json"),
    },
    "Look": {
        "status": Verb("status:status", "Show on one screen how it is and what is open.", "escalatord status"),
        "ls": Verb("incident:ls", "List incidents, newest first.", "escalatord ls --state open"),
        "show": Verb("incident:show", "Show one incident with its timeline.", "escalatord show INC-142"),
        "watch": Verb("watch:watch", "Follow what happens, line by line.", "escalatord watch"),
    },
    "Answer": {
        "ack": Verb("incident:ack", "Acknowledge: mine.", "escalatord ack INC-142"),
        "unack": Verb("incident:unack", "Take an acknowledgement back.", "escalatord unack INC-142"),
        "next": Verb("incident:next_", "Page the next tier now.", "escalatord next INC-142"),
        "snooze": Verb(
            "incident:snooze", "Acknowledge for a time, then be paged again.", "escalatord snooze INC-142 30m"
        ),
        "note": Verb(
            "incident:note", "Write something into the timeline.", 'escalatord note INC-142 "rolling back 4.2"'
        ),
        "mitigated": Verb(
            "incident:mitigated", "Say that the harm is stopped.", 'escalatord mitigated INC-142 "rolled back 4.2"'
        ),
        "resolve": Verb("incident:resolve", "Say that it is over.", "escalatord resolve INC-142"),
        "raise": Verb(
            "incident:raise_", "Open an incident by hand.", 'escalatord raise "checkout is down" --service checkout'
        ),
    },
    "Plan it": {
        "override": Verb(
            "override:override",
            "Let somebody stand in; list and cancel.",
            "escalatord override payments-primary bo --for 8h --why dentist\n"
            '  escalatord override payments-primary bo --from "2026-12-24 08:00" --to "2026-12-27 08:00"\n'
            "  escalatord override list\n"
            "  escalatord override cancel 7",
        ),
        "away": Verb(
            "away:away",
            "Note who is not available; list and cancel.",
            "escalatord away ana --until 18:00 --why dentist\n"
            '  escalatord away ana --from "2026-12-24 08:00" --until "2026-12-27 08:00"\n'
            "  escalatord away list\n"
            "  escalatord away cancel ana",
        ),
        "swap": Verb(
            "override:swap",
            "Let two people exchange their next shifts.",
            "escalatord swap platform-primary noa kai --why holidays",
        ),
        "silence": Verb(
            "silence:silence",
            "Mute alerts for a while; list, and end it early.",
            "escalatord silence add 'service=\"search\"' --for 2h --why reindexing\n"
            "  escalatord silence ls\n"
            "  escalatord silence expire 7",
        ),
        "maintenance": Verb(
            "silence:maintenance",
            "Announce planned work: mute alerts from then to then.",
            'escalatord maintenance add \'cluster="old"\' --from "2026-10-10 22:00" \\\n'
            '      --to "2026-10-11 04:00" --why CHG-4411',
        ),
        "calendar": Verb(
            "oncall:calendar",
            "Print a schedule as iCalendar, or the address to subscribe to it.",
            "escalatord calendar payments-primary > payments.ics\n  escalatord calendar payments-primary --subscribe",
        ),
    },
    "Keep it": {
        "rebase": Verb(
            "incident:rebase",
            "Move incidents onto the rules in force.",
            "escalatord rebase INC-142\n  escalatord rebase --all",
        ),
        "catalog": Verb(
            "catalog:catalog",
            "Take services over from Backstage or a table.",
            "escalatord catalog import catalog-info.yaml --rules rules --diff",
        ),
        "backup": Verb(
            "backup:backup",
            "Save the whole database to a file, beside a daemon at work.",
            "escalatord backup night.jsonl.gz --storage.path escalatord.db",
        ),
        "restore": Verb(
            "backup:restore",
            "Make the database of a backup in an empty one, of either kind.",
            "escalatord restore night.jsonl.gz --storage.url postgresql:///escalatord",
        ),
        "migrate": Verb(
            "backup:migrate_",
            "Bring the database to the schema of this release.",
            "escalatord migrate --storage.url postgresql:///escalatord",
        ),
        "token": Verb(
            "token:token",
            "Make, list and revoke API tokens.",
            "escalatord token create grafana --role viewer --storage.path escalatord.db",
        ),
    },
}
VERBS: Mapping[str, Verb] = {name: verb for family in FAMILIES.values() for name, verb in family.items()}


class Verbs(click.Group):
    """A group that knows its commands from the table and imports the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs in the order of the table."""
        del ctx
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command, imported now, with its example below its help."""
        del ctx
        verb = VERBS.get(cmd_name)
        if verb is None:
            return None
        module, _, name = verb.place.partition(":")
        command = getattr(import_module(f"escalatord.cli.{module}"), name)
        if not isinstance(command, click.Command):
            raise TypeError(verb.place)
        command.epilog = f"\b\nExample:\n  {verb.example}"
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the verbs by family, without importing any."""
        del ctx
        for family, verbs in FAMILIES.items():
            with formatter.section(family):
                formatter.write_dl([(name, verb.say) for name, verb in verbs.items()])


@click.command(
    cls=Verbs,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": WIDTH_CHARACTERS},
    epilog="\b\nExample:\n  escalatord demo",
)
@click.version_option(__version__, message="escalatord %(version)s")
def cli() -> None:
    """Alerts in, the right human awake, proof of it out.

    Exit codes: 0 fine, 1 findings or a negative answer, 2 usage, 3 bad rules, 4 daemon not reachable, 5 not allowed.
    """


def main() -> None:
    """Run the command line."""
    cli(prog_name="escalatord")
