"""Verbs about incidents: what they ask for, what they print, what they exit with."""

import json

import pytest

from tests.cli.conftest import incident

ONE = "/api/v1/incidents/142"
ALL = "/api/v1/incidents"
HOSTILE = "disk\x1b[2J\x1b]0;x\x07 full\n\x9b1A on db"


def happened(reason: str, **changes: object) -> dict[str, object]:
    """Return what an answer came to."""
    return {"reason": reason, "changed": True, "at": "2026-10-24T01:12:00Z", "incident": incident(**changes)}


def test_ls_shows_one_line_each_and_asks_for_the_states(ask, fake) -> None:
    """Which, how bad, state, since when, who, what; filters go to the daemon."""
    fake.answers[ALL] = (
        200,
        {"incidents": [incident(), incident(label="INC-9", state="acknowledged", acknowledged_by="bo")]},
    )
    result = ask("ls", "--state", "open", "--state", "acknowledged", "--limit", 5)
    first, second = result.output.splitlines()
    assert first == "INC-142  critical  open          10-24 01:11  tier 1 ana  checkout: 5xx rate 8.2% (eu-west)"
    assert second.startswith("INC-9    critical  acknowledged  10-24 01:11  bo          checkout")
    assert fake.asked[0][1] == f"{ALL}?limit=5&state=open%2Cacknowledged"


def test_ls_of_nothing_says_so(ask, fake) -> None:
    """No incidents is an answer."""
    fake.answers[ALL] = (200, {"incidents": []})
    assert ask("ls", "--state", "open").output == "no incidents that are open\n"


def test_show_tells_what_is_true_what_was_and_what_comes(ask, fake) -> None:
    """Head, links, state, timeline, ladder; times in the terminal's zone."""
    fake.answers[ONE] = (200, incident())
    lines = ask("show", "inc-142").output.splitlines()
    assert lines[0] == "INC-142  critical  open  policy payments  opened 2026-10-24 01:11:14 UTC"
    assert "now             nobody has acknowledged it; tier 1 is paged: ana" in lines
    assert "timeline        01:11:14 Opened by checkout-failing (threshold), critical, policy payments" in lines
    assert "what is next    01:16:14 in 4m14s  tier 2 secondary: Bo Lindgren  (technical)" in lines


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"acknowledged_by": "bo", "acknowledged_at": "2026-10-24T01:12:41Z", "acknowledged_via": "sms"},
            "bo has it since 01:12:41 (sms), 1m27s after it opened",
        ),
        (
            {"resolved_at": "2026-10-24T01:19:14Z", "resolved_by": "bo", "state": "resolved"},
            "over since 01:19:14 by bo, 8m after it opened",
        ),
    ],
    ids=["acknowledged", "resolved"],
)
def test_show_says_who_has_it_and_when_it_was_over(ask, fake, changes: dict[str, object], told: str) -> None:
    """The present state is a sentence with a duration."""
    fake.answers[ONE] = (200, incident(**changes))
    assert told in ask("show", 142).output


COUNTED = {
    "name": "technical",
    "state": "running",
    "acks": ["ana"],
    "acks_needed": 2,
}


def test_one_ack_of_two_is_told_as_such(ask, fake) -> None:
    """By the verb that gave it, and by `show`: somebody has it, and somebody else is wanted."""
    told = incident(tracks=[COUNTED], paging=["bo"])
    fake.answers[f"{ONE}/ack"] = (200, {"reason": "ack_counted", "changed": True, "incident": told})
    assert "counted, 1 of 2 needed; still paging: bo" in ask("ack", "142").output
    fake.answers[ONE] = (200, told)
    assert "ana acknowledged it, 1 of 2 needed; tier 1 is paged: bo" in ask("show", 142).output


def test_show_tells_what_was_asked_for(ask, fake) -> None:
    """Open or done, of whom, since when."""
    task = {"action": "open_rca", "owner": "person vera", "asked_at": "2026-10-24T01:21:14Z", "done_at": None}
    done = {**task, "action": "freeze_changes", "owner": None, "done_at": "2026-10-24T01:30:00Z", "done_by": "Bo"}
    fake.answers[ONE] = (200, incident(actions=[task, done]))
    text = ask("show", 142).output
    assert "open_rca, of person vera since 01:21:14, open" in text
    assert "freeze_changes since 01:21:14, done by Bo at 01:30:00" in text


@pytest.mark.parametrize(
    ("arguments", "path", "body"),
    [
        (["ack", "142"], "ack", {"via": "cli"}),
        (["ack", "142", "--take-over", "--as", "bo"], "ack", {"take_over": True, "via": "cli", "person": "bo"}),
        (["ack", "142", "--join", "--track", "legal"], "ack", {"join": True, "track": "legal", "via": "cli"}),
        (["unack", "INC-142"], "unack", {"via": "cli"}),
        (["next", "142"], "next", {"via": "cli"}),
        (["snooze", "142", "30m"], "snooze", {"for": "30m", "via": "cli"}),
        (["note", "142", "rolling back"], "note", {"text": "rolling back", "via": "cli"}),
        (["mitigated", "142", "rolled back"], "mitigated", {"text": "rolled back", "via": "cli"}),
        (["mitigated", "INC-142", "--as", "bo"], "mitigated", {"via": "cli", "person": "bo"}),
        (["rebase", "INC-142"], "rebase", {"via": "cli"}),
        (
            ["note", "142", "written", "--done", "open_rca"],
            "note",
            {"text": "written", "done": "open_rca", "via": "cli"},
        ),
        (["resolve", "142", "--decision", "notified"], "resolve", {"decision": "notified", "via": "cli"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_verbs_say_what_was_typed(ask, fake, arguments: list[str], path: str, body: dict[str, object]) -> None:
    """Each verb posts to its own path, with what was given and nothing else."""
    fake.answers[f"{ONE}/{path}"] = (200, happened("noted"))
    result = ask(*arguments)
    assert (result.exit_code, fake.asked) == (0, [("POST", f"{ONE}/{path}", body)])


def test_rebase_of_all_says_which_were_moved(ask, fake) -> None:
    """One request for every incident; what follows the rules already is not named; `--json` is the API's own."""
    fake.answers["/api/v1/rebase"] = (200, {"rules": "1f9a0c77aa", "moved": ["INC-7", "INC-9"]})
    assert ask("rebase", "--all").output == "moved onto rules 1f9a0c: INC-7, INC-9\n"
    assert fake.asked == [("POST", "/api/v1/rebase", {"via": "cli"})]
    assert json.loads(ask("rebase", "--all", "--json").output)["moved"] == ["INC-7", "INC-9"]
    fake.answers["/api/v1/rebase"] = (200, {"rules": "1f9a0c77aa", "moved": []})
    assert "no incident: all of them follow the rules in force" in ask("rebase", "--all").output


@pytest.mark.parametrize("arguments", [["rebase"], ["rebase", "142", "--all"]])
def test_rebase_wants_one_or_all(ask, fake, arguments: list[str]) -> None:
    """Neither both nor none: exit 2, and nothing is asked."""
    assert ask(*arguments).exit_code == 2
    assert fake.asked == []


def test_show_says_until_when_it_is_held(ask, fake) -> None:
    """The policy whose hours hold it stands beside the instant, in show and as the reason in explain."""
    fake.answers[ONE] = (200, incident(held_until="2026-10-26T08:00:00Z", paging=[]))
    assert "held until 2026-10-26 08:00:00 UTC by hours of policy payments" in " ".join(ask("show", 142).output.split())
    told = " ".join(ask("explain", "INC-142").output.split())
    assert "critical held until 2026-10-26 08:00:00 UTC by hours of policy payments" in told


def test_raise_opens_an_incident(ask, fake) -> None:
    """The cord: a title is enough; the answer says who is paged."""
    fake.answers[ALL] = (201, happened("opened"))
    result = ask("raise", "checkout is down", "--service", "checkout")
    assert fake.asked[0][2] == {
        "title": "checkout is down",
        "severity": "critical",
        "service": "checkout",
        "via": "cli",
    }
    assert "opened; paging now: ana" in result.output


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("already_acknowledged", "bo has it already. Take it with --take-over"),
        ("already_resolved", "It is over already."),
        ("no_such_track", "tracks: technical"),
        ("resolve_needs_decision", "--decision"),
        ("same_policy", "It follows the rules in force already."),
        ("already_mitigated", "That was said before."),
        ("something_{new}", "something {new}"),
    ],
)
def test_answer_that_changes_nothing_is_exit_1_with_the_reason(ask, fake, reason: str, told: str) -> None:
    """A 409 is a negative answer: 1, and why."""
    fake.answers[f"{ONE}/ack"] = (409, happened(reason, acknowledged_by="bo"))
    result = ask("ack", 142)
    assert result.exit_code == 1
    assert told in result.output


def test_json_prints_what_the_daemon_said(ask, fake) -> None:
    """`--json` is the API's own answer, for a 409 too, and the exit code stays."""
    fake.answers[f"{ONE}/ack"] = (409, happened("already_yours"))
    result = ask("ack", 142, "--json")
    assert (result.exit_code, json.loads(result.output)["reason"]) == (1, "already_yours")


@pytest.mark.parametrize("verb", ["ls", "show", "ack", "explain"])
@pytest.mark.parametrize("style", [[], ["--json"]], ids=["text", "json"])
def test_hostile_text_never_reaches_the_terminal(ask, fake, verb: str, style: list[str]) -> None:
    """Titles, sentences, labels and names with escape sequences are shown without them."""
    entry = {"seq": 1, "at": "2026-10-24T01:11:14Z", "kind": "noted", "say": HOSTILE}
    bad = incident(
        title=HOSTILE,
        service=HOSTILE,
        timeline=[entry],
        links={HOSTILE: HOSTILE},
        acknowledged_by=HOSTILE,
        explanation={"why_it_exists": [HOSTILE], "why_this_person": [HOSTILE], "verdicts": []},
    )
    fake.answers = {
        ALL: (200, {"incidents": [bad]}),
        ONE: (200, bad),
        f"{ONE}/ack": (200, happened("acknowledged", title=HOSTILE, acknowledged_by=HOSTILE)),
    }
    shown = ask(verb, *([] if verb == "ls" else ["142"]), *style).output
    assert shown
    assert not {sign for sign in shown if not sign.isprintable()} - {"\n"}


def test_no_line_is_wider_than_a_terminal(ask, fake) -> None:
    """Long titles are cut in tables and wrapped in texts."""
    long = incident(title="very long " * 40)
    fake.answers = {ALL: (200, {"incidents": [long]}), ONE: (200, long)}
    lines = ask("ls").output.splitlines() + ask("show", 142).output.splitlines()
    assert max(map(len, lines)) <= 100
