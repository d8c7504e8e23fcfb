"""What happened, line by line, as `simulate` shows it and a failing test quotes it."""

import pytest

from escalatord.core.alert import AlertStatus
from escalatord.core.incident import Attempt
from escalatord.core.roster import ChannelKind
from escalatord.core.values import replace
from escalatord.notify.simulated import Failure
from escalatord.sim.lines import lines, outcome, paged
from escalatord.sim.story import play
from tests.sim.test_story import RULESET, given, story


def told(*bodies, rules=RULESET, **more):
    """Return the lines of a story as (seconds, what, then)."""
    return [(line.seconds, line.what, line.then) for line in lines(play(story(*bodies, **more), rules), rules)]


def test_a_night_reads_from_top_to_bottom():
    """Who was paged how, what came of it, who answered, who was called off."""
    night = told(people="ana: no answer; bo: acks by call after 40s", until_seconds=400)
    assert night[0] == (0, "INC-1 critical opened by checkout-failing, policy payments", "")
    (paging,) = [then for _, what, then in night if what == "tier 1 primary → ana"]
    assert paging.startswith("chat, sms (")
    assert paging.endswith(" septets)")
    assert (180, "ana call", "no answer") in night
    assert [what for _, what, _ in night if what.startswith("tier 1 timed out")] == [
        "tier 1 timed out → tier 2 secondary → bo"
    ]
    assert (340, "ACK bo by call", "time to ack 5m40s, tier 2") in night
    assert [what for seconds, what, _ in night if seconds == 340][1] == "told that it is in hand: ana"
    assert "stakeholder: tier 1 duty manager → ivo" in [what for _, what, _ in night]


def test_a_failed_delivery_stands_beside_its_page_and_its_fallback_below():
    """The fallback of the same instant is told once, as a fallback."""
    night = told(failures={"sms": Failure.REFUSE}, until_seconds=2)
    (paging,) = [then for _, what, then in night if what == "tier 1 primary → ana"]
    assert paging == "chat, sms failed: client error"
    assert (0, "ana sms_backup", "fallback") in night


def test_a_try_that_comes_later_is_told_by_itself():
    """A page that is put back and tried again later is not lost between the lines."""
    night = told(failures={"mail": Failure.ERROR}, until_seconds=30)
    assert any(what.startswith("tried again: ivo") and seconds > 0 for seconds, what, _ in night)


def test_who_is_told_differently_is_told_by_name():
    """Where ways differ between the people of a tier, each has their own."""
    people = {**RULESET.people, "mia": replace(RULESET.people["mia"], addresses={"call": "+13105550101"})}
    night = told(rules=replace(RULESET, people=people), until_seconds=700)
    (then,) = [then for _, what, then in night if what.endswith("tier 3 team → ana, bo, mia, kai")]
    assert "mia chat, call no answer" in then
    assert "; bo sms (" in then


def test_alerts_that_page_nobody_say_why():
    """Quiet rules, waiting rules, repeats and ends are told too."""
    quiet = told(given("staging"), until_seconds=5)
    assert quiet == [(0, "5xx rate 31% (staging) pages nobody", "checkout-failing: quiet: not customer facing")]
    mild = {"annotation.transaction_failure_rate": "3", "annotation.affected_users": "2"}
    waits = told(
        given(changes=mild),
        given(changes=mild, after_seconds=20),
        given(changes=mild, status=AlertStatus.RESOLVED, after_seconds=60),
        given(changes=mild, status=AlertStatus.RESOLVED, after_seconds=90),
        until_seconds=100,
    )
    assert [(seconds, what) for seconds, what, _ in waits] == [
        (0, "5xx rate 8.2% (eu-west) pages nobody"),
        (0, "the rules look again in 5m"),
        (20, "5xx rate 8.2% (eu-west): known already"),
        (60, "5xx rate 8.2% (eu-west): resolved"),
        (90, "5xx rate 8.2% (eu-west): resolved, and it never fired"),
    ]


def test_several_incidents_are_told_apart():
    """With more than one, lines say which."""
    night = told(given(), given("disk-full"), until_seconds=130)
    assert "INC-1 tier 1 primary → ana" in [what for _, what, _ in night]
    assert "INC-2 severity warning → error" in [what for _, what, _ in night]


@pytest.mark.parametrize(
    ("bodies", "more", "expected"),
    [
        ((given(), given(status=AlertStatus.RESOLVED, after_seconds=60)), {"until_seconds": 65}, "resolved"),
        ((given("data-breach"),), {"until_seconds": 86_401, "people": "lea: acks"}, "compliance: gdpr clock → lea"),
        ((given(),), {"until_seconds": 3700, "people": "ana: acks"}, "still in hand? → ana"),
        ((given(),), {"until_seconds": 4300, "people": "ana: acks by chat"}, "still in hand? → ana"),
        ((given(),), {"until_seconds": 1801}, "every tier tried → last resort → vera, ivo"),
        ((given(),), {"until_seconds": 3601}, "last resort again → vera, ivo"),
        ((given("batch-failed", "batch"),), {"until_seconds": 301}, "reminder → ana"),
        ((given(),), {"until_seconds": 20, "people": "ana: passes on by sms after 9s"}, "passed on ana"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_kind_of_thing_has_its_words(bodies, more, expected):
    """Ends, clocks, questions, reminders, rounds: each has its line."""
    assert expected in [what for _, what, _ in told(*bodies, **more)]


def test_an_empty_tier_is_said():
    """Nobody on call and no backup: the next tier, and why."""
    schedules = {name: replace(one, layers=(), when_empty=()) for name, one in RULESET.schedules.items()}
    night = told(rules=replace(RULESET, schedules=schedules), until_seconds=2)
    whats = [what for _, what, _ in night]
    assert "tier 1 is empty" in whats
    assert "nobody on call → tier 3 team → ana, bo, mia" in whats


def test_a_body_that_nobody_reads_is_told():
    """Dead letters and the catch-all's incident are lines like any other."""
    bad = replace(given("batch-failed", "batch"), content={"jobs": [{"state": "failed"}]})
    whats = [what for _, what, _ in told(bad, until_seconds=2)]
    assert "a body that nobody can read was kept, and the catch-all told" in whats


def test_only_pages_to_people_that_were_taken_count():
    """Edits of a room, notices and refused texts are no pages."""
    played = play(
        story(people="ana: acks by chat after 5s", until_seconds=60, failures={"sms": Failure.REFUSE}), RULESET
    )
    rows = paged(played.attempts, played)
    assert {row.person for row in rows} == {"ana", "ivo"}
    assert {row.channel for row in rows} == {"chat", "sms_backup", "mail"}


@pytest.mark.parametrize(
    ("state", "result", "kind", "words"),
    [
        (Attempt.DELIVERED, "", ChannelKind.SMS, ""),
        (Attempt.WITHDRAWN, "acked", ChannelKind.SMS, "taken back unsent"),
        (Attempt.FAILED_PERMANENT, "busy", ChannelKind.CALL, "busy"),
        (Attempt.FAILED_PERMANENT, "busy", ChannelKind.SMS, "failed: busy"),
        (Attempt.FAILED_TEMPORARY, "server_error", None, "failed: server error"),
        (Attempt.FAILED_PERMANENT, "", None, "failed"),
    ],
)
def test_what_came_of_an_attempt_in_a_word(state, result, kind, words):
    """Success needs no word, failure has its reason."""
    (row, *_) = play(story(until_seconds=1), RULESET).attempts
    assert outcome(replace(row, state=state, result=result), kind) == words
