"""`explain` tells causes in order; also for the alert that paged nobody, and for one that was not sent."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import incident

ONE = "/api/v1/incidents/142"
VERDICT = {
    "severity": None,
    "cause": "threshold",
    "rule": "checkout-failing",
    "policies": ["payments"],
    "reasons": [
        {
            "rule": "checkout-failing",
            "say": "quiet: not customer facing",
            "predicates": [['unless env=~"staging|dev"', "env=staging", True], ["error for 5m", "0s", False]],
        }
    ],
    "held": {
        "error": "2026-10-24T01:06:14Z",
        "r!critical": "2026-10-24T01:06:14Z",
        "?users": "2026-10-24T01:06:14Z",
    },
    "next_at": "2026-10-24T01:11:14Z",
}


def test_explain_incident_tells_why_who_what_was_done_and_what_is_next(ask, fake) -> None:
    """From the first webhook to the ladder, each beside its question; the wait for a `for:` is told."""
    fake.answers[ONE] = (200, incident())
    text = ask("explain", "INC-142").output
    lines = text.splitlines()
    assert lines[0] == "INC-142  critical  policy payments  opened 2026-10-24 01:11:14 UTC, 5m after the first webhook"
    assert "why it exists   source am, fingerprint 8c1d, received 01:06:14" in lines
    assert "why this person Ana Ruiz is oncall payments-primary, tier 1 of technical: layer madrid" in lines
    assert "01:11:15 sms to Ana Ruiz: delivered" in text
    assert "what is next    01:16:14 in 4m14s  tier 2 secondary: Bo Lindgren  (technical)" in lines
    assert text.count("fingerprint 8c1d") == 1
    assert "Opened by" not in text


def test_explain_alert_that_paged_nobody_says_which_rule_kept_quiet(ask, fake) -> None:
    """SOURCE/FINGERPRINT is explained from the stored verdict: every predicate with what was seen."""
    fake.answers["/api/v1/alerts/am/8c1d"] = (
        200,
        {
            "source": "am",
            "fingerprint": "8c1d",
            "status": "firing",
            "title": "5xx rate 31% (staging)",
            "labels": {"env": "staging"},
            "starts_at": "2026-10-24T01:06:09Z",
            "severity": None,
            "incident": None,
            "looks_again_at": "2026-10-24T01:11:14Z",
            "verdict": VERDICT,
        },
    )
    lines = ask("explain", "am/8c1d").output.splitlines()
    assert lines[0] == "am/8c1d  firing  pages nobody"
    assert "came to         no incident" in lines
    assert "rule            checkout-failing: quiet: not customer facing" in lines
    assert '                yes unless env=~"staging|dev": env=staging' in lines
    assert "                no  error for 5m: 0s" in lines
    assert "waits           error since 01:06:14" in lines
    assert "holds           critical by r since 01:06:14, until it is clear" in lines
    assert "asks            users since 01:06:14" in lines


def test_explain_alert_that_is_muted_says_by_whom_until_when(ask, fake) -> None:
    """The severity that it would have stands beside who muted it."""
    by = {"kind": "silence", "name": "silence 7", "why": "deploy", "by": "ana", "until": "2026-10-24T03:11:14Z"}
    verdict = {**VERDICT, "severity": "error", "rule": "r", "policies": ["payments"], "suppressed": by}
    alert = {
        "source": "am", "fingerprint": "f", "status": "firing", "title": "t", "labels": {}, "severity": None,
        "starts_at": "2026-10-24T01:06:09Z", "incident": None, "looks_again_at": "2026-10-24T03:11:14Z",
        "suppressed": {**by, "say": "silence 7 (deploy, by ana)"}, "verdict": verdict,
    }  # fmt: skip
    fake.answers["/api/v1/alerts/am/f"] = (200, alert)
    lines = ask("explain", "am/f").output.splitlines()
    until = "silence 7 (deploy, by ana) until 2026-10-24 03:11:14 UTC"
    assert lines[0] == "am/f  firing  suppressed"
    assert f"muted           {until}" in lines
    assert f"pages           nobody: {until}" in lines
    assert "                else error by r, policy payments" in lines
    waits = {**by, "name": "inhibit", "why": "symptom", "until": None, "incident": 4}
    fake.answers["/api/v1/alerts/am/f"] = (
        200,
        {**alert, "suppressed": None, "verdict": {**verdict, "suppressed": waits}},
    )
    assert "nobody: inhibit (symptom, by ana), until INC-4 is over" in ask("explain", "am/f").output


def test_explain_a_body_asks_for_a_dry_run(ask, fake, tmp_path: Path) -> None:
    """`--alert FILE` posts the body as it is to the source with `dry_run`, and shows what would page."""
    body = {"alerts": [{"labels": {"alertname": "X"}}]}
    file = tmp_path / "alert.json"
    file.write_text(json.dumps(body))
    paging = {**VERDICT, "severity": "critical", "held": {}, "next_at": None}
    fake.answers["/in/am"] = (
        200,
        {
            "dry_run": True,
            "explained": [
                {"fingerprint": "8c1d", "status": "firing", "title": "5xx", "verdict": paging},
                {"fingerprint": "9d2e", "status": "firing", "title": "other", "verdict": None},
            ],
            "rejected": [{"index": 2, "at": "/alerts/2", "error": "E101", "say": "labels must be an object"}],
        },
    )
    result = ask("explain", "--alert", file, "--source", "am")
    assert fake.asked == [("POST", "/in/am?dry_run=1", body)]
    assert "pages           critical by checkout-failing, policy payments" in result.output
    assert "rules           no rule has looked at it" in result.output
    assert "refused /alerts/2: labels must be an object (E101)" in result.output


@pytest.mark.parametrize("arguments", [[], ["INC-1", "--alert", __file__]], ids=["nothing", "two things"])
def test_explain_needs_one_subject(ask, arguments: list[str]) -> None:
    """What to explain must be said, once."""
    assert ask("explain", *arguments).exit_code == 2


def test_explain_many_alerts_names_a_few(ask, fake) -> None:
    """A storm is counted, not listed."""
    seen = [{"source": "am", "fingerprint": f"f{n}", "received_at": "2026-10-24T01:11:14Z"} for n in range(30)]
    fake.answers[ONE] = (200, incident(alerts_seen=seen, alerts=340))
    assert "… and 335 more alerts" in ask("explain", 142).output
