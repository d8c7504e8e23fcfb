"""What was expected and what happened, compared; a miss is shown like a diff, in order of time."""

import pytest

from escalatord.sim.expecting import as_diff, missed
from escalatord.sim.story import play
from tests.sim.test_cases import RULES, RULESET, read

GIVEN = "{body: payloads/checkout-5xx.json}"
PEOPLE = "{ana: no answer, bo: acks by call after 40s}"


def judged(tmp_path, expectation, *, given=GIVEN, people=PEOPLE, until="8m"):
    """Return what of one expectation was missed, and the diff."""
    file = tmp_path / "x.test.yaml"
    at = '"2026-10-24 03:11 Europe/Madrid"'
    text = f"{{name: one, at: {at}, given: [{given}], people: {people}, until: {until}, expect: [{expectation}]}}"
    file.write_text(f"tests:\n  - {text}\n", encoding="utf-8")
    (case,), findings = read(file, RULES, RULESET)
    assert findings == ()
    played = play(case.story, RULESET)
    misses = missed(case, played)
    return misses, as_diff(played, RULESET, misses)


@pytest.mark.parametrize(
    "expectation",
    [
        "{incident: {severity: critical, opened_severity: critical, policy: payments, service: checkout, at: 0s}}",
        "{incident: {rule: checkout-failing, cause: threshold, state: acknowledged, alerts: 1, count: 1, title: 5XX}}",
        "{incident: {severity: warning, count: 0}}",
        "{sent: {to: ana, by: sms, at: 0s, contains: crit k7, kind: page}}",
        "{sent: {to: bo, by: call, at: 5m}}",
        "{sent: {to: room, by: chat}}",
        "{not_sent: {to: mia}}",
        "{not_sent: {to: ana, by: call, at: 0s}}",
        "{not_sent: {to: ana, contains: nonsense}}",
        "{not_sent: {to: ana, kind: stand_down}}",
        "{acked: {by: bo, after: 5m40s, via: call, track: technical}}",
        "{acked: {by: bo}}",
        "{pages: 3, because: transaction_failure_rate > 5%}",
    ],
)
def test_what_is_true_is_not_missed(tmp_path, expectation):
    """Each way of expecting, with each of its keys."""
    assert judged(tmp_path, expectation) == ((), judged(tmp_path, expectation)[1])


@pytest.mark.parametrize(
    ("expectation", "say", "seconds"),
    [
        ("{incident: {severity: error}}", "INC-1 is critical by checkout-failing, policy payments", None),
        ("{incident: {title: nonsense, at: 3m}}", "incident title nonsense at 3m", 180),
        ("{incident: {at: 3m}}", "incident at 3m", 180),
        ("{incident: {count: 2}}", "(there are 1)", None),
        ("{sent: {to: bo, by: call, at: 7m}}", "sent to bo by call at 7m", 420),
        ("{sent: {to: mia}}", "sent to mia", None),
        ("{sent: {to: ana, kind: remind}}", "sent to ana kind remind", None),
        ("{not_sent: {to: ana, by: call}}", "not sent to ana by call", None),
        ("{acked: {by: bo, after: 7m}}", "acked by bo after 7m", 420),
        ("{acked: {by: ana}}", "acked by ana", None),
        ("{acked: {by: bo, via: sms}}", "acked by bo via sms", None),
        ("{acked: {by: bo, track: stakeholder}}", "acked by bo track stakeholder", None),
        ("{pages: 0}", "pages 0 people (it pages 3)", None),
        ("{pages: 9}", "pages 9 people (it pages 3)", None),
        ("{pages: 3, because: nonsense}", "(the reasons are: checkout-failing: critical", None),
    ],
)
def test_what_is_not_true_is_missed(tmp_path, expectation, say, seconds):
    """The miss names what was expected and when, and what is so instead."""
    ((miss,), _) = judged(tmp_path, expectation)
    assert say in miss.say
    assert miss.seconds == seconds
    assert miss.place.endswith("x.test.yaml:2:" + miss.place.rpartition(":")[2])


def test_the_diff_tells_both_in_order_of_time(tmp_path):
    """What is missing stands where it should have happened, what was too much where it did."""
    _, diff = judged(tmp_path, "{sent: {to: bo, by: call, at: 7m}}, {not_sent: {to: ana, by: call}}")
    missing = next(number for number, line in enumerate(diff) if line.startswith("- 7m      sent to bo by call at 7m"))
    assert diff[missing - 1].startswith("  5m40s")
    (surplus,) = [line for line in diff if line.startswith("+ ")]
    assert surplus.startswith("+ 3m      sent to ana by call: 'Severity critical.")
    assert diff[-1].startswith("-         not sent to ana by call")


def test_a_message_with_other_words_is_shown(tmp_path):
    """Who got something else at that time sees it quoted."""
    ((miss,), diff) = judged(tmp_path, "{sent: {to: ana, by: sms, at: 0s, contains: nonsense}}")
    assert {seconds for seconds, _ in miss.instead} == {0.0}
    assert any(line.startswith("+ 0s      sent to ana by sms: 'CRIT K7") for line in diff)


def test_nobody_at_all_is_said(tmp_path):
    """Where nothing opened, the miss says so."""
    quiet = "{body: payloads/staging.json}"
    ((miss,), _) = judged(tmp_path, "{incident: {severity: error}}", given=quiet, people="{}")
    assert "there is no incident" in miss.say
