"""Why it was not sooner, and how it was at some time: derived from what the API tells, never decided again."""

import json
from pathlib import Path

import pytest

from escalatord.cli.sooner import as_of, muted_before, why_not_sooner
from tests.cli.conftest import incident

ONE = "/api/v1/incidents/142"
RULES = Path(__file__).parents[2] / "rules"


def entry(at, kind, say="", **body):
    """Return a line of a timeline."""
    return {"seq": 1, "at": f"2026-10-24T{at}Z", "kind": kind, "say": say, "body": body}


def climbed(**changes):
    """Return an incident that climbed after a tier timed out."""
    timeline = [
        entry("01:11:14", "opened", "Opened"),
        entry(
            "01:11:14", "tier_entered", "Tier 1", track="technical", to_tier=1, reason="opened", within_seconds=300.0
        ),
        entry(
            "01:16:14", "tier_entered", "Tier 2", track="technical", to_tier=2, reason="timeout", within_seconds=600.0
        ),
        entry("01:16:15", "delivery", "sms to Bo"),
        entry(
            "01:17:00", "tier_entered", "Tier 3", track="technical", to_tier=3, reason="passed_on", within_seconds=60
        ),
    ]
    return incident(timeline=timeline, first_paged_at="2026-10-24T01:11:15Z", **changes)


def test_everything_that_cost_time_is_told_in_order():
    """The sender, the rules, each tier that was waited for, and what failed."""
    seen = {**incident()["alerts_seen"][0], "starts_at": "2026-10-24T01:05:14Z"}
    failed = {"at": "2026-10-24T01:11:16Z", "state": "failed_permanent", "say": "sms to Ana: failed (busy)"}
    assert why_not_sooner(climbed(alerts_seen=[seen], messages=[failed])) == [
        "its sender told of it 1m after it began",
        "the rules (checkout-failing) waited 5m before they made it critical",
        "tier 2 of technical only when tier 1 was over: nobody acked in its 5m",
        "tier 3 of technical only when tier 2 was over: it was passed on",
        "01:11:16 sms to Ana: failed (busy)",
    ]


def test_nothing_to_tell_is_nothing():
    """One that was paged at once, in its first tier, has no reasons."""
    told = incident(alerts_seen=[], timeline=[], messages=[], first_paged_at="2026-10-24T01:11:15Z")
    assert why_not_sooner(told) == []


def test_what_muted_it_before_is_told():
    """For how long and by whom, from what was stored when it opened; else that nothing did."""
    by = {"by": "silence 7 (deploy, by ana)", "since": "2026-10-24T01:11:14Z", "until": "2026-10-24T03:41:14Z"}
    told = incident(timeline=[entry("03:41:14", "opened", "Opened", why={"suppressed": by})])
    assert muted_before(told) == ["it was muted for 2h30m, until 03:41:14, by silence 7 (deploy, by ana)"]
    for other in ([entry("01:11:14", "opened", "Opened", why={"raised_by": "ana"})], [entry("01:11:14", "opened")], []):
        assert muted_before(incident(timeline=other)) == ["no silence matched, and no window or inhibition"]


def test_providers_that_took_long_or_nothing_are_told():
    """No page yet, or one that took its time."""
    assert why_not_sooner(incident(alerts_seen=[], timeline=[], messages=[])) == ["no provider has taken a page yet"]
    late = incident(alerts_seen=[], timeline=[], messages=[], first_paged_at="2026-10-24T01:11:44Z")
    assert why_not_sooner(late) == ["the first page was taken by its provider only 30s after it opened"]


def test_many_failures_are_counted():
    """A long list of failures is cut, and says so."""
    failed = [{"at": "2026-10-24T01:11:16Z", "state": "failed_temporary", "say": "sms"}] * 9
    told = why_not_sooner(incident(alerts_seen=[], timeline=[], messages=failed, first_paged_at="2026-10-24T01:11:14Z"))
    assert told[-1] == "… and 3 more that failed"


def test_as_it_was_then_knows_nothing_of_later():
    """Timeline and messages are cut, what is next is left out, and the last that had happened is said."""
    then = as_of(climbed(), "2026-10-24 01:16:30 UTC")
    assert [line["say"] for line in then["timeline"]] == ["Opened", "Tier 1", "Tier 2", "sms to Bo"]
    assert then["next"] == []
    assert then["as_of"] == "at 2026-10-24 01:16:30 UTC the last that had happened: Tier 2"


def test_explain_at_a_time_shows_it(ask, fake):
    """`explain INC-142 --at TIME` is the incident as it was then."""
    fake.answers[ONE] = (200, climbed())
    text = ask("explain", "INC-142", "--at", "2026-10-24 03:12 Europe/Madrid").output
    assert "what is true    at 2026-10-24 01:12:00 UTC the last that had happened: Tier 1" in text
    assert "Tier 2" not in text
    assert "why not sooner" in text


@pytest.mark.parametrize(
    ("arguments", "say"),
    [
        (("INC-142", "--at", "2020-01-01 00:00"), "later than that"),
        (("INC-142", "--at", "soon"), "is not a time"),
        (("INC-142", "--rules", "rules"), "--rules goes with --alert"),
        (("am/8c1d", "--at", "2026-10-24 01:12"), "--at goes with INC-142"),
    ],
)
def test_questions_that_cannot_be_asked_are_wrong_use(ask, fake, arguments, say):
    """Exit 2 and a sentence."""
    fake.answers[ONE] = (200, climbed())
    result = ask("explain", *arguments)
    assert result.exit_code == 2
    assert say in result.output.replace("\n", " ")


def test_rules_are_asked_without_a_daemon(run):
    """`--alert FILE --rules DIR --at TIME`: severity, reasons and who would be paged when, at that time."""
    body = RULES / "payloads" / "disk-full.json"
    arguments = ("explain", "--alert", body, "--rules", RULES, "--at", "2026-12-25 03:00 Europe/Madrid")
    text = run(*arguments).output
    assert "pages           warning by disk-filling, policy platform" in text
    assert "grows to        warning, error at 2m" in text
    assert "who, when       technical: noa → 1h kai" in text
    assert "looks again     2026-12-25 02:02:00 UTC" in text
    told = json.loads(run(*arguments, "--json").output)
    assert told["explained"][0]["foretold"]["policy"] == "platform"
    quiet = run("explain", "--alert", RULES / "payloads" / "staging.json", "--rules", RULES).output
    assert "pages           nobody" in quiet


@pytest.mark.parametrize(
    ("source", "content", "say"),
    [("nagios", "{}", "there is no such source"), ("alertmanager", "[]", "cannot read this body")],
)
def test_a_body_that_the_rules_cannot_read_is_said(run, tmp_path, source, content, say):
    """Exit 2, with the sources there are or what is wrong with the body."""
    file = tmp_path / "x.json"
    file.write_text(content, encoding="utf-8")
    result = run("explain", "--alert", file, "--rules", RULES, "--source", source)
    assert result.exit_code == 2
    assert say in result.output.replace("\n", " ")
