"""Maintenance windows and inhibitions as the rules write them: what they become, and what is doubted."""

from dataclasses import replace
from datetime import UTC, datetime, time
from pathlib import Path

import pytest

from escalatord.config.lint import lint
from escalatord.config.load import load
from escalatord.config.suppressions import missing_labels
from escalatord.core.calendar import Hours
from escalatord.core.difference import changes
from escalatord.core.mutes import Inhibit, Maintenance, Span
from tests.fakes.rule_sets import GOOD, ruleset_of, written
from tests.fakes.rulesets import ALERT

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
ONCE = """\
suppress:
  - {kind: maintenance, match: a=b, from: "2026-12-10 22:00", to: "2026-12-11 04:00",
     timezone: Europe/Madrid, why: CHG-1, by: ana}
"""
EVERY = "suppress: [{kind: maintenance, match: a=b, every: EVERY, why: w, by: person ana, apply_to_open: true}]\n"
INHIBIT = "suppress: [{kind: inhibit, when: p, mute: 'x=\"{{ x }}\", y=z', why: w, by: team ops}]\n"
TEAM = "teams: {ops: [ana]}\n"


ALL = set(range(7))


def utc(*parts: int) -> datetime:
    """Return an instant."""
    return datetime(*parts, tzinfo=UTC)


def test_a_window_that_comes_once(tmp_path: Path) -> None:
    """Its wall times are those of its zone."""
    (window,) = ruleset_of(tmp_path, GOOD + ONCE).suppress
    assert isinstance(window, Maintenance)
    assert window.once == Span(utc(2026, 12, 10, 21), utc(2026, 12, 11, 3))
    assert (window.why, window.by, window.apply_to_open, window.every) == ("CHG-1", "ana", False, None)


def test_a_time_that_comes_twice_is_the_longer_one(tmp_path: Path) -> None:
    """From the first 02:30 until the second."""
    text = ONCE.replace("2026-12-10 22:00", "2026-10-25 02:30").replace("2026-12-11 04:00", "2026-10-25 02:45")
    (window,) = ruleset_of(tmp_path, GOOD + text).suppress
    assert window.once == Span(utc(2026, 10, 25, 0, 30), utc(2026, 10, 25, 1, 45))


@pytest.mark.parametrize(
    ("text", "hours"),
    [
        ("Sun 02:00-04:00", [({6}, time(2), time(4))]),
        ("sun 02:00 - 04:00", [({6}, time(2), time(4))]),
        ("mon-fri 22:00-06:00", [(set(range(5)), time(22), time(6))]),
        ("03:00-03:30", [(set(range(7)), time(3), time(3, 30))]),
        ("00:00-24:00", [(set(range(7)), time(0), time(0))]),
        (
            '["sat, sun 02:00-04:00", 12:00-12:30]',
            [({5, 6}, time(2), time(4)), (set(range(7)), time(12), time(12, 30))],
        ),
    ],
)
def test_a_window_that_comes_every_week(tmp_path: Path, text: str, hours) -> None:
    """One, or several."""
    (window,) = ruleset_of(tmp_path, GOOD + EVERY.replace("EVERY", text)).suppress
    assert [*window.every.hours] == [Hours(days=frozenset(days), start=start, end=end) for days, start, end in hours]
    assert (window.every.timezone, window.by, window.apply_to_open) == ("UTC", "ana", True)


def test_an_inhibition(tmp_path: Path) -> None:
    """What it waits for, and what it mutes whatever the cause says."""
    (inhibit,) = ruleset_of(tmp_path, GOOD + TEAM + INHIBIT).suppress
    assert isinstance(inhibit, Inhibit)
    assert (inhibit.when, inhibit.by, inhibit.mute.labels) == ("p", "team ops", ("x",))
    assert (inhibit.match.matches({"y": "z"}), inhibit.match.matches({})) == (True, False)


def test_the_hash_and_the_difference_know_them(tmp_path: Path) -> None:
    """Another time is other rules, told as such; the order in the file is none."""
    folders = [tmp_path / name for name in "abc"]
    for folder in folders:
        folder.mkdir()
    plain = ruleset_of(folders[0], GOOD)
    once = ruleset_of(folders[1], GOOD + ONCE)
    later = ruleset_of(folders[2], GOOD + ONCE.replace("22:00", "23:00"))
    assert len({plain.hash, once.hash, later.hash}) == 3
    assert [change.what for change in changes(plain, once)] == ["suppression 1"]
    (change,) = changes(once, later)
    assert (change.what, "2026-12-10 21:00" in change.before) == ("suppression 1 · once", True)
    mute = ruleset_of(folders[0], GOOD + TEAM + INHIBIT)
    other = ruleset_of(folders[1], GOOD + TEAM + INHIBIT.replace("y=z", "y=q"))
    assert [(one.what, one.after) for one in changes(mute, other)] == [("suppression 1 · mute", 'x="{{ x }}", y=q')]


def test_what_is_fine_is_not_doubted(tmp_path: Path) -> None:
    """A window to come, a weekly one, an inhibition by its label alone."""
    more = "  - {kind: inhibit, when: p, mute: 'x=\"{{ x }}\"', why: w, by: team ops}\n"
    weekly = "  - {kind: maintenance, match: a=b, every: Sun 02:00-04:00, why: w, by: ana}\n"
    text = GOOD + TEAM + ONCE + more + weekly
    assert lint(load(written(tmp_path, r=text), environ={}), NOW) == ()
    assert [one.code for one in lint(load(tmp_path, environ={}), utc(2026, 12, 11, 3))] == ["W080"]


def test_a_label_that_no_recorded_cause_has_is_told(tmp_path: Path) -> None:
    """Only where there are recorded alerts of the cause, and only when none of them has it."""
    rule = "thresholds: [{name: r, match: service=checkout, severity: {error: {}}}]\n"
    mute = INHIBIT.replace("when: p", "when: r").replace("{{ x }}", "{{ region }}")
    loaded = load(written(tmp_path, r=GOOD + TEAM + rule + mute), environ={})

    def told(**alerts) -> list[str]:
        return [f"{one.code} {one.say} ({one.fix})" for one in missing_labels(loaded.sections, loaded.ruleset, alerts)]

    assert told(a=ALERT) == ['W083 no recorded alert that "r" matches has a label "region" (known: env, service)']
    assert told(a=ALERT, b=replace(ALERT, labels={**ALERT.labels, "region": "eu"})) == []
    assert told(a=replace(ALERT, labels={})) == told() == []
    policy = load(written(tmp_path, r=GOOD + TEAM + INHIBIT), environ={})
    assert list(missing_labels(policy.sections, policy.ruleset, {"a": ALERT})) == []
