"""`watch` tells each timeline entry once, in order, and outlives a daemon that goes away."""

import json
from collections.abc import Callable

import pytest

from escalatord.cli import watch
from escalatord.cli.client import Client
from tests.cli.conftest import STATUS, FakeDaemon, incident

ACKED = {
    "seq": 9,
    "at": "2026-10-24T01:12:41Z",
    "kind": "acknowledged",
    "say": "Bo Lindgren has it (sms), 1m27s after it opened",
}


@pytest.fixture
def told(fake: FakeDaemon) -> FakeDaemon:
    """Let the daemon have one open incident, told up to entry 8."""
    fake.answers = {
        "/api/v1/status": (200, STATUS),
        "/api/v1/incidents": (200, {"incidents": [incident()]}),
        "/api/v1/incidents/142": (200, incident()),
    }
    return fake


def acknowledge(fake: FakeDaemon) -> None:
    """Let Bo acknowledge."""
    after = incident(state="acknowledged", acknowledged_by="bo", timeline=[*incident()["timeline"], ACKED])
    fake.answers["/api/v1/status"] = (200, {**STATUS, "journal_seq": 9})
    fake.answers["/api/v1/incidents"] = (200, {"incidents": [after]})
    fake.answers["/api/v1/incidents/142"] = (200, after)


def steps(*actions: Callable[[], object]) -> Callable[[], object]:
    """Return a pause that does one thing after each look, then presses Ctrl-C."""
    waiting = list(actions)

    def pause() -> None:
        if not waiting:
            raise KeyboardInterrupt
        waiting.pop(0)()

    return pause


def test_watch_tells_what_is_new_once(told: FakeDaemon, capsys: pytest.CaptureFixture[str]) -> None:
    """Old entries are not repeated; a new one is a line."""
    tail = watch.Tail(Client(url=told.url))
    assert [found["number"] for found in tail.begin()] == [142]
    with pytest.raises(KeyboardInterrupt):
        watch.follow(tail, steps(lambda: acknowledge(told), lambda: None, lambda: None), as_json=False)
    assert capsys.readouterr().out == ("01:12:41  INC-142  critical  Bo Lindgren has it (sms), 1m27s after it opened\n")


def test_watch_in_json_is_one_object_a_line(told: FakeDaemon, capsys: pytest.CaptureFixture[str]) -> None:
    """Tools read lines."""
    tail = watch.Tail(Client(url=told.url))
    tail.begin()
    with pytest.raises(KeyboardInterrupt):
        watch.follow(tail, steps(lambda: acknowledge(told)), as_json=True)
    (found,) = capsys.readouterr().out.splitlines()
    assert (json.loads(found)["seq"], json.loads(found)["incident"]["label"]) == (9, "INC-142")


def test_watch_waits_for_a_daemon_that_went_away(told: FakeDaemon, capsys: pytest.CaptureFixture[str]) -> None:
    """Said once when it goes, once when it is back; nothing that happened meanwhile is missed."""
    tail = watch.Tail(Client(url=told.url))
    tail.begin()

    def gone() -> None:
        told.answers["/api/v1/status"] = (503, {"say": "Nothing can be committed now."})

    with pytest.raises(KeyboardInterrupt):
        watch.follow(tail, steps(gone, lambda: None, lambda: acknowledge(told)), as_json=False)
    shown = capsys.readouterr()
    assert shown.err.count("Waiting for it.") == 1
    assert shown.err.count("the daemon is back") == 1
    assert "Bo Lindgren has it" in shown.out


def test_watch_leaves_entries_for_next_time_that_came_while_it_read(told: FakeDaemon) -> None:
    """Entries are told in the order of the journal, even when one is committed between two requests."""
    tail = watch.Tail(Client(url=told.url))
    tail.begin()
    acknowledge(told)
    later = {**ACKED, "seq": 10, "say": "later"}
    detail = incident(timeline=[ACKED, later])
    told.answers["/api/v1/incidents/142"] = (200, detail)
    assert [entry["seq"] for entry in tail.news()] == [9]
    told.answers["/api/v1/status"] = (200, {**STATUS, "journal_seq": 10})
    assert [entry["seq"] for entry in tail.news()] == [10]


def test_watch_does_not_read_closed_incidents_again(told: FakeDaemon) -> None:
    """What is over and did not change is left alone."""
    over = incident(state="resolved")
    told.answers["/api/v1/incidents"] = (200, {"incidents": [over]})
    tail = watch.Tail(Client(url=told.url))
    tail.begin()
    told.answers["/api/v1/status"] = (200, {**STATUS, "journal_seq": 30})
    assert list(tail.news()) == []
    assert "/api/v1/incidents/142" not in [path for _method, path, _body in told.asked]


def test_watch_ends_cleanly_with_ctrl_c(ask, told: FakeDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C is how it ends: exit 0, no traceback."""

    def interrupted(*_arguments: object, **_options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(watch, "follow", interrupted)
    result = ask("watch")
    assert (result.exit_code, "INC-142" in result.output) == (0, True)


def test_opened_incidents_are_told_with_their_title() -> None:
    """The first line of an incident says what it is about."""
    entry = {**incident()["timeline"][0], "incident": incident()}
    assert watch.line(entry).startswith("01:11:14  INC-142  critical  5xx rate 8.2% (eu-west). Opened by checkout")
