"""The surroundings: what is counted, who waits for what, and that a failed transaction leaves no trace."""

from dataclasses import replace
from datetime import timedelta

import pytest

from escalatord.core.around import BEGUN_MAX
from escalatord.core.evaluate import evaluate
from escalatord.core.facts import parse_condition
from escalatord.core.queries import parse_query
from escalatord.core.rules import Clear, FactSource, Service, Unless
from escalatord.engine import surroundings, tallies
from escalatord.engine.surroundings import Surroundings, place_of
from tests.fakes.rulesets import ERROR, MINUTE, START, level, remembered, ruleset, threshold
from tests.fakes.world import opened

MANY = threshold("many", level(ERROR, "firing_alerts >= 2"), match="alertname=HostDown", group_by=("dc",))
QUIET = threshold("quiet", level(ERROR), match="alertname=Symptom", unless=(Unless(open="cause", why="w"),))
CAUSE = threshold("cause", level(ERROR), match="alertname=Cause")


def alert(name, fingerprint="f", at=START, **labels):
    """Return a record of an alert that began now."""
    return replace(
        remembered(at=at, starts=(at,), labels={"alertname": name, **labels}, fingerprint=fingerprint), incident=0
    )


def look(around, rules, record, now=START):
    """Judge an alert and let the surroundings know."""
    verdict = evaluate(rules, record, now, around)
    around.judged(record, verdict)
    return verdict


def test_rules_that_look_at_nothing_need_nothing():
    """Where no rule looks around, nothing is kept."""
    around = Surroundings(ruleset([threshold("r", level(ERROR))]))
    around.began(alert("HostDown"), START)
    assert (around.needed, around.window_seconds, around.makers) == (False, 0.0, {})
    assert around.tally(MANY, alert("HostDown")).firing == 0


def test_alerts_are_counted_by_the_labels_that_split_incidents():
    """Two hosts in one place are two, one in another is one; who was there before is looked at again."""
    around = Surroundings(ruleset([MANY]))
    first, second, other = (
        alert("HostDown", "a", dc="x"),
        alert("HostDown", "b", dc="x"),
        alert("HostDown", "c", dc="y"),
    )
    around.began(first, START)
    around.began(other, START)
    assert around.take_due() == []
    around.began(second, START)
    assert [around.tally(MANY, each).firing for each in (first, second, other)] == [2, 2, 1]
    assert around.take_due() == [place_of(first)]
    around.keep()
    assert around.take_due() == []
    around.ended(first, START)
    assert (around.tally(MANY, second).firing, around.take_due()) == (1, [place_of(second)])


def test_an_alert_whose_label_changes_is_counted_elsewhere():
    """Senders that name their alerts may change a label: the counts follow."""
    around = Surroundings(ruleset([MANY]))
    around.began(alert("HostDown", "a", dc="x"), START)
    around.began(alert("HostDown", "b", dc="y"), START)
    around.keep()
    around.changed(alert("HostDown", "a", dc="x"), START)
    assert around.mark() == 0
    around.changed(alert("HostDown", "a", dc="y"), START)
    assert around.tally(MANY, alert("HostDown", dc="x")).firing == 0
    assert around.tally(MANY, alert("HostDown", dc="y")).firing == 2
    assert around.take_due() == [("am", "b")]


def test_what_is_matched_by_a_trait_is_counted_too():
    """Counting asks the same question as judging: the service's segments are part of it."""
    rule = threshold("r", level(ERROR, "firing_alerts >= 1"), match="segment=gold")
    around = Surroundings(ruleset([rule], services=[Service(name="shop", segments=("gold",))]))
    around.began(alert("x", "a", service="shop"), START)
    around.began(alert("x", "b", service="other"), START)
    assert around.tally(rule, alert("x")).firing == 1


def test_a_failed_command_leaves_no_trace():
    """Everything since the mark is taken back: counts, waits, causes, and who was to be looked at."""
    rules = ruleset([MANY, QUIET, CAUSE])
    around = Surroundings(rules)
    around.began(alert("HostDown", "a"), START)
    around.paged(alert("Cause", "c"), replace(opened(), rule="cause"))
    look(around, rules, alert("Symptom", "s"))
    around.keep()
    mark = around.mark()
    around.began(alert("HostDown", "b"), START)
    around.settled(("am", "c"))
    look(around, rules, alert("Symptom", "s"))
    look(around, rules, alert("Symptom", "t"))
    assert len(around.take_due()) == 2
    around.undo(mark)
    assert around.take_due() == []
    assert around.tally(MANY, alert("HostDown")).firing == 1
    assert len(around.tally(MANY, alert("HostDown")).begun) == 1
    assert [cause.incident for cause in around.causes("cause")] == [1]
    around.settled(("am", "c"))
    assert around.take_due() == [("am", "s")]


def test_whoever_is_quiet_for_a_cause_is_looked_at_when_it_ends():
    """By its alert's end, or by its incident's; a rule that looked again and is no longer quiet is left alone."""
    rules = ruleset([QUIET, CAUSE])
    around = Surroundings(rules)
    around.paged(alert("Cause", "c"), replace(opened(), rule="cause"))
    around.paged(alert("Cause", "c"), replace(opened(), rule="cause"))
    assert look(around, rules, alert("Symptom", "s")).severity is None
    around.closed({2})
    assert around.take_due() == []
    around.closed({1})
    assert around.take_due() == [("am", "s")]
    around.keep()
    assert look(around, rules, alert("Symptom", "s")).severity is ERROR
    around.closed({1})
    around.ended(alert("Symptom", "s"), START)
    assert around.take_due() == []


def test_an_answer_is_kept_whatever_becomes_of_the_transaction():
    """Whoever waits is looked at; asks are handed out once, and the answer given longest ago is forgotten first."""
    facts = {"asked": FactSource(name="asked", kind="", key="", unit="", query=parse_query('up{h="{{ h }}"}'))}
    rules = replace(ruleset([threshold("r", level(ERROR, "asked > 1"), match="h!=x")]), facts=facts)
    around = Surroundings(rules)
    look(around, rules, alert("x", "a", h="1"))
    assert around.asks == ('up{h="1"}',)
    around.keep()
    assert around.asks == ()
    around.answered('up{h="1"}', 5.0, START)
    assert around.take_due() == [("am", "a")]
    around.undo()
    assert around.take_due() == []
    assert around.answer('up{h="1"}').value == 5.0


def test_answers_are_bounded(monkeypatch):
    """Past the limit the oldest answer goes."""
    monkeypatch.setattr(surroundings, "ANSWERS_MAX", 2)
    around = Surroundings(ruleset())
    for query in "abac":
        around.answered(query, 1.0, START)
    assert [around.answer(query) is not None for query in "abc"] == [True, False, True]


def test_beginnings_are_bounded_and_come_back_when_undone():
    """A thousand are kept; taking one back brings the forgotten one back."""
    rule = threshold("r", level(ERROR, "rule_occurrences in 1h >= 5"), match="alertname=x")
    around = Surroundings(ruleset([rule]))
    for second in range(BEGUN_MAX):
        around.began(alert("x", "a", at=START + timedelta(seconds=second)), START + timedelta(seconds=second))
    around.keep()
    around.began(alert("x", "b", at=START + MINUTE * 60), START + MINUTE * 60)
    begun = around.tally(rule, alert("x")).begun
    assert (len(begun), begun[0].at) == (BEGUN_MAX, START + timedelta(seconds=1))
    around.undo()
    assert (len(begun), begun[0].at, around.tally(rule, alert("x")).firing) == (BEGUN_MAX, START, 1)


def test_more_than_one_transaction_takes_are_looked_at_in_turn(monkeypatch):
    """What one change concerns beyond the limit waits for the next transaction; a failed one takes nothing."""
    monkeypatch.setattr(surroundings, "DUE_AT_ONCE_MAX", 2)
    rules = ruleset([QUIET, CAUSE])
    around = Surroundings(rules)
    around.paged(alert("Cause", "c"), replace(opened(), rule="cause"))
    for name in "stu":
        look(around, rules, alert("Symptom", name))
    around.settled(("am", "c"))
    assert around.take_due() == [("am", "s"), ("am", "t")]
    around.keep()
    assert around.take_due() == [("am", "u")]
    around.undo()
    assert around.take_due() == [("am", "u")]
    around.keep()
    assert around.take_due() == []


def test_groups_that_are_over_are_forgotten(monkeypatch):
    """Where nothing fires and nothing began for a window, nothing is kept."""
    monkeypatch.setattr(tallies, "SCOPES_SWEPT_FROM", 2)
    rule = threshold("r", level(ERROR, "rule_occurrences in 1h >= 5"), match="alertname=x", group_by=("n",))
    around = Surroundings(ruleset([rule]))
    for number in range(3):
        record = alert("x", str(number), n=str(number))
        around.began(record, START)
        if number:
            around.ended(record, START)
    late = alert("x", "z", n="z")
    around.began(late, START + MINUTE * 90)
    around.keep()
    kept = [len(around.tally(rule, alert("x", n=n)).begun) for n in ("0", "1", "2", "z")]
    assert kept == [1, 0, 0, 1]


def test_everything_is_built_again_from_what_the_store_holds():
    """Counts with past beginnings, open causes, who is quiet; who would be paged now and is not is looked at."""
    rules = ruleset(
        [MANY, QUIET, CAUSE, threshold("r", level(ERROR, "rule_occurrences in 1h >= 3"), match="alertname=HostDown")]
    )
    around = Surroundings(ruleset())
    gone = replace(alert("HostDown", "gone"), starts=(START - 2 * MINUTE, START - MINUTE))
    gone = replace(gone, alert=replace(gone.alert, status="resolved"))
    cause = replace(alert("Cause", "c"), incident=1, severity=ERROR)
    host = alert("HostDown", "a")
    around.rebuild(rules, [host, gone, cause, alert("Symptom", "s")], {1: replace(opened(), rule="cause")}, START)
    assert [each.at for each in around.tally(MANY, gone).begun] == [START - 2 * MINUTE, START - MINUTE, START]
    assert around.tally(MANY, host).firing == 1
    assert [each.labels["alertname"] for each in around.causes("cause")] == ["Cause"]
    assert around.take_due() == [place_of(host)]
    around.keep()
    # with other rules nobody is quiet any more: whoever was is looked at
    around.rebuild(ruleset([CAUSE]), [], {}, START)
    assert (around.take_due(), around.needed) == ([("am", "s")], False)


@pytest.mark.parametrize("where", ["level", "clear"])
def test_a_rule_counts_wherever_it_compares(where):
    """A count in `clear` alone is a count too."""
    condition = parse_condition("rule_occurrences in 2h < 3")
    rule = threshold("r", level(ERROR, "rule_occurrences in 2h > 3" if where == "level" else "rate > 1%"))
    rule = rule if where == "level" else replace(rule, clear=Clear(condition=condition))
    assert Surroundings(ruleset([rule])).window_seconds == 7200.0
