"""Canonical JSON of values."""

from datetime import UTC, date, datetime, time

import pytest

from escalatord.config.canonical import HASH_DIGITS, content_hash, plain
from escalatord.config.secrets import Secret
from escalatord.core.alert import Severity
from escalatord.core.matchers import MatcherIndex
from escalatord.core.policy import Target, TargetKind
from escalatord.core.rules import AllOf, AnyOf
from escalatord.core.ruleset import Ruleset, Unmatched


def test_values_become_what_json_knows() -> None:
    """Words, numbers, times, tuples, sets and mappings have one spelling each."""
    assert plain((Severity.ERROR, 1, 1.5, None, True)) == ["error", 1, 1.5, None, True]
    assert plain(frozenset({"b", "a"})) == ["a", "b"]
    assert plain([date(2026, 1, 2), time(3, 4), datetime(2026, 1, 2, tzinfo=UTC)]) == [
        "2026-01-02",
        "03:04:00",
        "2026-01-02T00:00:00+00:00",
    ]
    assert plain(Target(TargetKind.TEAM, "a")) == {"is": "Target", "kind": "team", "name": "a", "filters": []}


def test_types_with_equal_fields_differ() -> None:
    """`any` and `all` of the same conditions are not the same rule."""
    assert content_hash(AnyOf(parts=())) != content_hash(AllOf(parts=()))


def test_secrets_do_not_count() -> None:
    """Turning a key is not another rule set."""
    assert content_hash({"a": Secret("x")}) == content_hash({"a": Secret("y")})


def test_order_of_keys_does_not_count_and_order_of_items_does() -> None:
    """Mappings are sorted, sequences are not."""
    assert content_hash({"a": 1, "b": 2}) == content_hash({"b": 2, "a": 1})
    assert content_hash([1, 2]) != content_hash([2, 1])
    assert len(content_hash(1)) == HASH_DIGITS


def test_indexes_and_hashes_are_left_out() -> None:
    """What is derived does not count."""
    unmatched = Unmatched(severity=Severity.INFO, policy="p")
    one = Ruleset(hash="a", unmatched=unmatched, policies={})
    two = Ruleset(hash="b", unmatched=unmatched, policies={}, threshold_index=MatcherIndex(()))
    assert content_hash(one) == content_hash(two)


def test_what_is_no_value_is_refused() -> None:
    """An object without a spelling raises instead of hashing its address."""
    with pytest.raises(TypeError):
        content_hash(object())
