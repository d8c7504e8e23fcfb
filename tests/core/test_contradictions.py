"""Rules that can never do anything, and exceptions that nothing hides."""

import random
from dataclasses import replace
from datetime import time
from itertools import product

import pytest

from escalatord.core import contradictions, evaluate
from escalatord.core.alert import Severity
from escalatord.core.calendar import Hours
from escalatord.core.claims import Scene
from escalatord.core.contradictions import TRAITS, contradiction, covering, hidden_exceptions, outdone
from escalatord.core.facts import OPERATORS, parse_condition
from escalatord.core.matchers import MatcherIndex, parse_matchers
from escalatord.core.mutes import Maintenance, Weekly
from escalatord.core.rules import AllOf, AnyOf, Condition, Level, Unless
from escalatord.core.suppress import suppress
from tests.fakes.rulesets import CRITICAL, ERROR, FACTS, INFO, WARNING, exception, ruleset, threshold

CONTRADICTIONS = [
    ("env=prod, env=dev", "env"),
    ('env=~"prod|dev", env=staging', "env"),
    ('env=~"prod|dev", env!~"prod|dev|test"', "env"),
    ('a=b, env=~"pro.*", env!~"pro.*"', "env"),
    ('env="", env!=""', "env"),
    ('env!="", env!="prod"', ""),
    ('env=~"prod|dev", env!=dev', ""),
    ('env=~"pro.*", env=~"dev.*"', ""),
    ('env=~"pro.*", env!~"prod"', ""),
    ("segment=retail, segment=enterprise", ""),
]


@pytest.mark.parametrize(("text", "label"), CONTRADICTIONS)
def test_matchers_that_no_alert_meets_are_found(text: str, label: str) -> None:
    """The label without a value that fits; nothing is said where one may be, or where a label has several."""
    assert label == contradiction(parse_matchers(text))


COVERED = [
    ('env=~"staging|dev"', ["env=staging", "env=dev"], [0, 1]),
    ('env=~"staging|dev"', ['env!="prod"'], [0]),
    ("env=staging, a=b", ['a=b, env=~"staging|dev"'], [0]),
    ('a=~"x.*", env=dev', ['a=~"x.*"'], [0]),
    ('a!=""', ['a!=""'], [0]),
    ('env=~"staging|dev"', ["env=staging"], []),
    ("env=staging", ["env=staging, a=b"], []),
    ('a=~"x.*"', ['a=~"x"'], []),
    ("a=b", ['env=~".*"'], []),
    ("regulated=pci", ["regulated=pci"], [0]),
    ("regulated=pci", ['regulated!="gdpr"'], []),
]


@pytest.mark.parametrize(("match", "unless", "expected"), COVERED)
def test_unless_that_covers_what_a_rule_matches_is_found(match: str, unless: list[str], expected: list[int]) -> None:
    """The entries that keep it quiet together; none where something gets by."""
    entries = [Unless(match=parse_matchers(text), why=text) for text in unless]
    assert [entries[number] for number in expected] == list(covering(parse_matchers(match), entries))


def test_an_unless_about_something_open_covers_nothing() -> None:
    """Whether it is open is not known beforehand."""
    match = parse_matchers("env=dev")
    assert covering(match, [Unless(match=match, why="x", open="r"), Unless(why="x", open="r")]) == ()


def test_too_many_cases_are_not_tried_one_by_one() -> None:
    """Labels are looked at apart then, which proves less and is still right."""
    many = ", ".join(f'l{label}=~"{"|".join(f"v{value}" for value in range(8))}"' for label in range(4))
    halves = [Unless(match=parse_matchers(f'l0=~"v0|v1|v2|v3"{rest}'), why="x") for rest in ("", ', l1=~"v.*"')]
    assert covering(parse_matchers(many), halves) == ()
    whole = Unless(match=parse_matchers('l0!="w"'), why="x")
    assert covering(parse_matchers(many), [whole]) == (whole,)


def condition(text: str) -> Condition | None:
    """Return a condition; `a & b` is all, `a | b` any, "" none."""
    for mark, kind in ((" & ", AllOf), (" | ", AnyOf)):
        if mark in text:
            return kind(parts=tuple(parse_condition(part) for part in text.split(mark)))
    return parse_condition(text) if text else None


def levels(**texts: str) -> tuple[Level, ...]:
    """Return levels; `text for 60` holds for a minute."""
    found = []
    for word, text in texts.items():
        what, _, seconds = text.partition(" for ")
        found.append(Level(severity=Severity(word), condition=condition(what), for_seconds=float(seconds or 0)))
    return tuple(found)


OUTDONE = [
    ({"warning": "downtime > 10m", "error": "downtime > 5m"}, [(WARNING, ERROR)]),
    ({"warning": "downtime >= 5m", "error": "downtime > 5m"}, []),
    ({"warning": "downtime > 5m", "error": "downtime >= 5m"}, [(WARNING, ERROR)]),
    ({"warning": "downtime > 10m", "error": "downtime > 5m for 60"}, []),
    ({"warning": "downtime > 10m for 60", "error": "downtime > 5m for 60"}, [(WARNING, ERROR)]),
    ({"warning": "", "error": ""}, [(WARNING, ERROR)]),
    ({"warning": "", "error": "downtime > 5m"}, []),
    ({"warning": "downtime > 5m", "error": ""}, [(WARNING, ERROR)]),
    ({"warning": "downtime > 10m & users > 5", "error": "downtime > 5m"}, [(WARNING, ERROR)]),
    ({"warning": "downtime > 10m | users > 5", "error": "downtime > 5m"}, []),
    ({"warning": "downtime > 10m | users > 5", "error": "downtime > 5m | users > 4"}, [(WARNING, ERROR)]),
    ({"warning": "downtime > 10m", "error": "downtime > 5m & users > 4"}, []),
    ({"warning": "downtime > 10m & users > 5", "error": "downtime > 5m & users > 4"}, [(WARNING, ERROR)]),
    ({"info": "users < 3", "warning": "users <= 3", "error": "rate > 5%"}, [(INFO, WARNING)]),
    ({"info": "users <= 3", "warning": "users < 3"}, []),
    ({"info": "users == 3", "warning": "users <= 3"}, [(INFO, WARNING)]),
    ({"info": "users == 3", "warning": "users == 3"}, [(INFO, WARNING)]),
    ({"info": "users != 3", "warning": "users != 4"}, []),
    ({"info": "occurrences in 5m > 3", "warning": "occurrences in 10m > 3"}, []),
    ({"error": "downtime > 10m & downtime < 5m"}, [(ERROR, None)]),
    ({"error": "downtime > 10m & downtime < 5m", "critical": ""}, [(ERROR, None)]),
    ({"error": "downtime < 0s"}, [(ERROR, None)]),
    ({"error": "downtime < 0s | users > 5"}, []),
    ({"error": "downtime < 0s | occurrences in 5m < 0"}, [(ERROR, None)]),
    ({"error": "users > 5 & users < 5"}, [(ERROR, None)]),
    ({"error": "users >= 5 & users <= 5"}, []),
    ({"error": "users >= 5 & users <= 5 & users != 5"}, [(ERROR, None)]),
    ({"error": "users == 5 & users == 6"}, [(ERROR, None)]),
    ({"error": "users < 0"}, []),
    ({"error": "rate > 5% & rate < 3%"}, []),
]


@pytest.mark.parametrize(("given", "expected"), OUTDONE)
def test_severities_that_can_never_be_claimed_are_found(given: dict[str, str], expected: list[tuple]) -> None:
    """Each with the one that always comes first, or None when it contradicts itself.

    A missing `rate` counts as true, so its limits contradict one another only while it is there.
    """
    found = outdone(threshold("r", *levels(**given)), FACTS)
    assert expected == [(one.level.severity, one.by.severity if one.by else None) for one in found]


def test_nested_conditions_are_looked_into() -> None:
    """An impossible part makes all impossible; any needs all of its parts to be."""
    never = AllOf(parts=(parse_condition("users > 5"), parse_condition("users < 3")))
    maybe = parse_condition("downtime > 5m")
    for whole, expected in ((AllOf(parts=(maybe, never)), 1), (AnyOf(parts=(maybe, never)), 0)):
        rule = threshold("r", Level(severity=CRITICAL, condition=whole))
        assert expected == len(list(outdone(rule, FACTS)))


def test_a_nested_condition_that_can_hold_hides_nothing_beside_it() -> None:
    """An any-of that can hold is passed over; what stands beside it is still looked at."""
    maybe = AnyOf(parts=(parse_condition("users > 5"), parse_condition("users > 9")))
    beside = (parse_condition("downtime > 9m"), parse_condition("downtime < 3m"))
    for parts, expected in (((maybe, *beside), 1), ((maybe, beside[0]), 0)):
        rule = threshold("r", Level(severity=ERROR, condition=AllOf(parts=parts)))
        assert len(list(outdone(rule, FACTS))) == expected


def test_nothing_true_is_called_impossible() -> None:
    """Random comparisons of one fact: whoever is called outdone or impossible, no number says otherwise."""
    chance = random.Random(20261121)
    told = 0
    for _ in range(3000):
        lower, worse = (
            [(chance.choice(list(OPERATORS)), chance.randint(0, 4)) for _ in range(chance.randint(1, 3))] for _ in "ab"
        )
        texts = [" & ".join(f"users {op} {limit}" for op, limit in each) for each in (lower, worse)]
        (found,) = [[*outdone(threshold("r", *levels(warning=texts[0], error=texts[1])), FACTS)]]
        truths = [
            [all(OPERATORS[op](number / 2, limit) for op, limit in each) for each in (lower, worse)]
            for number in range(-2, 12)
        ]
        for one in found:
            told += 1
            column = 0 if one.level.severity is WARNING else 1
            assert not any(row[column] and not (one.by and row[1]) for row in truths), texts
    assert told > 300


@pytest.mark.parametrize(
    ("match", "shown"),
    [
        ("a=b", 1),
        ('a=~"x|y", env!=prod', 1),
        ('a=~"node-[0-9]+", b!~"z.*"', 1),
        (r'a=~"web\\d+\\.example\\.com"', 1),
        ('a=~"(us|eu)-.*"', 1),
        ('a=~"[k-m]{3}"', 0),
    ],
)
def test_exceptions_are_tried_by_an_alert_of_their_own(match: str, shown: int) -> None:
    """Where its matchers show what one looks like; no other rule hides it."""
    rules = (
        exception("here", ERROR, match=match, policy="one", also=("two",)),
        exception("worse", CRITICAL, match='a!=""', policy="three"),
    )
    quiet = threshold(
        "quiet", *levels(critical=""), match='a!=""', unless=(Unless(match=parse_matchers(match), why="x"),)
    )
    assert ((), shown + 1) == hidden_exceptions(ruleset((quiet,), rules))


def test_an_exception_that_is_not_heard_would_be_told() -> None:
    """Planted: an index that loses the rule, which is what a defect would look like."""
    rule = exception("lost", ERROR, match="a=b", policy="one")
    other = parse_matchers("z=z")
    broken = replace(ruleset((), (rule,)), exception_index=MatcherIndex([other]))
    assert ((rule,), 0) == hidden_exceptions(broken)


def test_an_exception_that_could_be_muted_would_be_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: an evaluation that asks for a mute although an exception matches; in peace nothing would show."""
    rule = exception("held", ERROR, match="a=b")
    window = Maintenance(
        number=1, match=parse_matchers("c=d"), every=Weekly(hours=(Hours(start=time(2), end=time(4)),), timezone="UTC"),
        why="w", by="ana",
    )  # fmt: skip
    rules = replace(ruleset((), (rule,)), suppress=(window,))
    assert hidden_exceptions(rules) == ((), 1)

    def careless(ruleset, record, now, around):
        verdict = evaluate.evaluate(ruleset, record, now, around)
        return suppress(Scene(ruleset, record, now, around), verdict)

    monkeypatch.setattr(contradictions, "evaluate", careless)
    assert ((rule,), 0) == hidden_exceptions(rules)


def test_traits_are_those_of_services() -> None:
    """The labels that have several values at once."""
    assert {"segment", "regulated", "depends_on"} == TRAITS


def test_contradictions_agree_with_trying_every_value() -> None:
    """Random matchers over three values: what is called contradictory matches none of them, nor their absence."""
    chance = random.Random(7)
    values = ("", "a", "b", "ab")
    texts = [
        f'{name}{op}"{value}"' for name, op, value in product("xy", ("=", "!=", "=~", "!~"), ("a", "b", "a|b", "a.*"))
    ]
    told = 0
    for _ in range(2000):
        match = parse_matchers(", ".join(chance.sample(texts, chance.randint(1, 4))))
        if contradiction(match):
            told += 1
            assert not any(match.matches({"x": x, "y": y}) for x in values for y in values), match.text
    assert told > 200
