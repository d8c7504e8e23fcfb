"""`escalatord explain`: why these people and not others, why now, why at all. Also for the page that did not happen.

Everything is told from what the daemon stored when it decided; nothing is decided again here, but with `--alert`, where
the rules are asked: the daemon's, or with `--rules` those of a directory, at any time, without a daemon.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from escalatord.cli import output
from escalatord.cli.client import Client, number_of, with_client
from escalatord.cli.foretold import foretold
from escalatord.cli.incident import ladder, state_words
from escalatord.cli.payloads import ALERTMANAGER, PAYLOAD_BYTES_MAX
from escalatord.cli.sooner import as_of, muted_before, why_not_sooner
from escalatord.core.units import format_duration

TOLD_ELSEWHERE = frozenset({"opened", "delivery", "first_paged"})
ALERTS_SHOWN_MAX = 5


@click.command()
@click.argument("subject", required=False)
@click.option(
    "--alert", "file", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="What would this body do?"
)
@click.option("--source", default=ALERTMANAGER, show_default=True, help="The source that --alert is tried as.")
@click.option("--rules", type=click.Path(path_type=Path), help="With --alert: ask these rules; no daemon is asked.")
@click.option("--at", "at", metavar="TIME", help="As it was then; of an alert (with --rules), as if it were then.")
@with_client
def explain(
    *,
    subject: str | None,
    file: Path | None,
    source: str,
    rules: Path | None,
    at: str | None,
    client: Client,
    as_json: bool,
) -> None:
    """Say why SUBJECT, an incident (INC-142) or an alert (SOURCE/FINGERPRINT), paged these people, or nobody.

    With --alert the rules are asked what they would make of a body; nothing is stored and nobody is paged.
    """
    if (subject is None) == (file is None):
        raise click.UsageError("Say what to explain: INC-142, SOURCE/FINGERPRINT, or --alert FILE.")
    if rules is not None and file is None:
        raise click.UsageError("--rules goes with --alert FILE: of what happened, the daemon knows why.")
    if at is not None and rules is None and (subject is None or "/" in subject):
        raise click.UsageError("--at goes with INC-142, or with --alert FILE --rules DIRECTORY.")
    if file is not None and rules is not None:
        found = foretold(rules, file, source, at)
        lines = tried(found)
    elif file is not None:
        found, lines = _tried(client, file, source)
    elif subject is not None and "/" in subject:
        place, _, fingerprint = subject.partition("/")
        found = client.get(f"/api/v1/alerts/{quote(place, safe='')}/{quote(fingerprint, safe='')}")
        lines = judged(found)
    else:
        found = client.get(f"/api/v1/incidents/{number_of(subject or '')}")
        if at is not None:
            found = as_of(found, at)
        lines = explained(found)
    if as_json:
        output.say_json(found)
    else:
        output.say(lines)


def explained(incident: Mapping[str, Any]) -> Iterator[str]:
    """Yield why an incident is as it is."""
    yield _head(incident)
    why = incident["explanation"]
    # the alerts are told by _received, with their times
    causes = [line for line in why["why_it_exists"] if not line.startswith("source ")]
    yield from output.section("what", [f"{incident['service']}: {incident['title']}".removeprefix(": ")])
    yield from output.section("why it exists", [*_received(incident), *causes])
    yield from output.section("why this person", why["why_this_person"])
    yield from output.section("what was done", _done(incident))
    yield from output.section("what is true", [incident.get("as_of") or state_words(incident)])
    yield from output.section("what is next", ladder(incident["next"]))
    yield from output.section("why not sooner", [*why_not_sooner(incident), *muted_before(incident)])


def judged(alert: Mapping[str, Any]) -> Iterator[str]:
    """Yield what the rules made of one alert, whether it paged or not."""
    muted = alert.get("suppressed")
    severity = alert["severity"] or ("suppressed" if muted else "pages nobody")
    place = f"{alert['source']}/{alert['fingerprint']}"
    yield output.clean("  ".join([place, alert["status"], severity]), output.COLUMNS_MAX)
    yield from output.section("what", [alert["title"], _labels(alert["labels"])])
    yield from output.section("when", [f"started {output.clock(alert['starts_at'], day=True)}"])
    yield from output.section("came to", [f"INC-{alert['incident']}" if alert["incident"] else "no incident"])
    if muted:
        yield from output.section("muted", [_muted(muted)])
    yield from _verdict(alert["verdict"])
    if alert["looks_again_at"]:
        yield from output.section("looks again", [output.clock(alert["looks_again_at"], day=True)])


def tried(answer: Mapping[str, Any]) -> Iterator[str]:
    """Yield what the rules would make of each alert of a body."""
    for index, item in enumerate(answer["explained"]):
        if index:
            yield ""
        yield output.clean("  ".join(["dry run", item["fingerprint"], item["status"]]), output.COLUMNS_MAX)
        yield from output.section("what", [item["title"]])
        yield from _verdict(item["verdict"])
        for key, say in (item.get("foretold") or {}).items():
            yield from output.section(key, [say])
    for item in answer["rejected"]:
        yield output.clean(f"refused {item['at']}: {item['say']} ({item['error']})")


def _tried(client: Client, file: Path, source: str) -> tuple[Mapping[str, Any], Iterator[str]]:
    with file.open("rb") as opened:
        body = opened.read(PAYLOAD_BYTES_MAX + 1)
    found = client.ask("POST", f"/in/{quote(source, safe='')}?dry_run=1", body).content
    return found, tried(found)


def _head(incident: Mapping[str, Any]) -> str:
    """Return the first line, with how long the rules waited: from the first webhook to the incident."""
    head = "  ".join([incident["label"], incident["severity"], f"policy {incident['policy']}"])
    line = f"{output.clean(head)}  opened {output.clock(incident['opened_at'], day=True)}"
    received = [alert["received_at"] for alert in incident["alerts_seen"] if alert["received_at"]]
    waited = output.seconds_between(min(received), incident["opened_at"]) if received else None
    return f"{line}, {format_duration(waited)} after the first webhook" if waited and waited >= 1 else line


def _received(incident: Mapping[str, Any]) -> list[str]:
    seen = incident["alerts_seen"]
    lines = [
        f"source {alert['source']}, fingerprint {alert['fingerprint']}, received {output.clock(alert['received_at'])}"
        for alert in seen[:ALERTS_SHOWN_MAX]
    ]
    more = incident["alerts"] - len(lines)
    return [*lines, f"… and {more} more alerts"] if more > 0 and lines else lines


def _done(incident: Mapping[str, Any]) -> list[str]:
    """Return messages and everything else of the timeline, in order of time."""
    told = [(m["at"], m["say"]) for m in incident["messages"]]
    told += [(e["at"], e["say"]) for e in incident["timeline"] if e["kind"] not in TOLD_ELSEWHERE]
    return [f"{output.clock(at)} {say}" for at, say in sorted(told, key=lambda entry: str(entry[0]))]


def _verdict(verdict: Mapping[str, Any] | None) -> Iterator[str]:
    """Yield what a verdict says: severity, policy, then every rule with its predicates."""
    if not verdict:
        yield from output.section("rules", ["no rule has looked at it"])
        return
    if verdict.get("severity") and verdict.get("suppressed"):
        yield from output.section("pages", [f"nobody: {_muted(verdict['suppressed'])}", f"else {_paging(verdict)}"])
    elif verdict.get("severity"):
        yield from output.section("pages", [_paging(verdict)])
    else:
        yield from output.section("pages", ["nobody"])
    for reason in verdict.get("reasons") or []:
        lines = [f"{reason['rule']}: {reason['say']}"]
        lines += [f"{'yes' if yes else 'no ':<3} {text}: {seen}" for text, seen, yes in reason.get("predicates") or []]
        yield from output.section("rule", lines)
    for key, at in (verdict.get("held") or {}).items():
        yield from output.section(*_held(key, output.clock(at)))
    if verdict.get("next_at"):
        yield from output.section("looks again", [output.clock(verdict["next_at"], day=True)])


def _paging(verdict: Mapping[str, Any]) -> str:
    policies = ", ".join(verdict.get("policies") or []) or "none"
    return f"{verdict['severity']} by {verdict.get('rule') or verdict.get('cause')}, policy {policies}"


def _muted(by: Mapping[str, Any]) -> str:
    """Return what mutes: `silence 7 (deploy, by ana) until 2026-10-24 05:11:14 CEST`."""
    until = f" until {output.clock(by['until'], day=True)}" if by.get("until") else ""
    say = by.get("say") or f"{by['name']} ({by['why']}, by {by['by']})"
    over = f", until INC-{by['incident']} is over" if by.get("incident") and not by.get("say") else ""
    return f"{say}{over}{until}"


def _held(key: str, since: str) -> tuple[str, list[str]]:
    """Return what a rule holds on to, as a section: a claim, the time it is clear, a question, or a `for`."""
    rule, claimed, severity = key.partition("!")
    if claimed:
        return "holds", [f"{severity} by {rule} since {since}, until it is clear"]
    if key.startswith("?"):
        return "asks", [f"{key[1:]} since {since}"]
    return "waits", [f"{key} since {since}"]


def _labels(labels: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in sorted(labels.items()))
