"""Broken rules: every mistake is told at its place, with its code and its sentence."""

from pathlib import Path

import pytest
import yaml

from tests.fakes.rule_sets import GOOD, findings_of, written

CASES = yaml.safe_load((Path(__file__).parent / "broken_rules.yaml").read_text())
BROKEN = [pytest.param(case.get("replace", ""), case["by"], case["told"], id=case["case"]) for case in CASES]


@pytest.mark.parametrize(("old", "new", "expected"), BROKEN)
def test_a_mistake_is_told_at_its_place(tmp_path: Path, old: str, new: str, expected: list[str]) -> None:
    """One mistake gives exactly its findings (where the sentence is the core's, place and code are compared)."""
    text = GOOD.replace(old, new, 1) if old else GOOD + new
    told = [f"{found.line}:{found.column} {found.code} {found.say}" for found in findings_of(written(tmp_path, r=text))]
    assert len(expected) == len(told)
    assert all(seen.startswith(wanted) for wanted, seen in zip(expected, told, strict=True)), told


def test_the_good_rules_are_good(tmp_path: Path) -> None:
    """What the table breaks is whole before."""
    assert findings_of(written(tmp_path, r=GOOD)) == []


@pytest.mark.parametrize(("old", "new", "expected"), BROKEN)
def test_every_error_says_how_to_fix_it_or_is_plain(tmp_path: Path, old: str, new: str, expected: list[str]) -> None:
    """A finding is a sentence; it does not end in a full stop, and it says more than `invalid`."""
    text = GOOD.replace(old, new, 1) if old else GOOD + new
    for found in findings_of(written(tmp_path, r=text)):
        assert len(found.say.split()) >= 3
        assert not found.say.endswith(".")
        assert "\n" not in found.say + found.fix


def test_all_mistakes_of_all_files_come_at_once(tmp_path: Path) -> None:
    """A syntax error in one file does not hide a wrong key in another, nor make names it would have held unknown."""
    people, rest = GOOD[GOOD.index("people:") :], GOOD[: GOOD.index("people:")]
    folder = written(tmp_path, a=rest.replace("within: 5m", "within: 5"), b=people + "teams: [\n", c="x: 1\n")
    told = [f"{found.file}:{found.line}:{found.column} {found.code}" for found in findings_of(folder)]
    assert told == ["a.yaml:7:42 E014", "b.yaml:5:1 E003", "c.yaml:1:1 E010"]


def test_a_name_in_two_files_names_both_places(tmp_path: Path) -> None:
    """The later file is wrong, and says where the first stands."""
    folder = written(tmp_path, a=GOOD, b='people:\n  ana: {sms: "+34600000003"}\n')
    assert [str(found) for found in findings_of(folder)] == [
        'b.yaml:2:3 E006 "ana" stands twice, first in people at a.yaml:15:3'
    ]


def test_unmatched_stands_once(tmp_path: Path) -> None:
    """Two files cannot both say what happens to the rest."""
    folder = written(tmp_path, a=GOOD, b="unmatched: {severity: info, policy: p}\n")
    assert [str(found)[:15] for found in findings_of(folder)] == ["b.yaml:1:1 E006"]


CANARY = "ca9ary5"


@pytest.mark.parametrize(
    "channel",
    [
        f"{{provider: twilio, account_sid: AC1, auth_token: {CANARY}, from: 5}}",
        f"{{provider: twilio, account_sid: AC1, auth_token: [{CANARY}], from: '+15550100'}}",
        f"{{provider: twilio, account_sid: AC1, auth_token: '${{{CANARY}}}', from: '+15550100'}}",
        f"{{provider: slack, kind: call, token: {CANARY}, signing_secret: {CANARY}, room: x}}",
        f"{{provider: twilio, token: {CANARY}}}",
        f"{{provider: webhook, kind: webhook, url: x, secret: {{{CANARY}: {CANARY}}}}}",
    ],
)
def test_no_finding_repeats_a_secret(tmp_path: Path, channel: str) -> None:
    """Whatever is wrong with a channel, its secrets are not told."""
    found = findings_of(written(tmp_path, r=GOOD.replace("{provider: sim}", channel, 1)))
    assert found
    assert not [finding for finding in found if CANARY in f"{finding}{finding.fix}"]


@pytest.mark.parametrize(
    "phone", ["34600777888", '"600777888"', '"+99600777888"', '"+346007778889"', '"+34 600777888"']
)
def test_no_finding_repeats_a_phone_number(tmp_path: Path, phone: str) -> None:
    """A number is shown by its last two digits."""
    found = findings_of(written(tmp_path, r=GOOD.replace('"+34600000002"', phone)))
    assert found
    assert not [finding for finding in found if "600777" in f"{finding}{finding.fix}"]
