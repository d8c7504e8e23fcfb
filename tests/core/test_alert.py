"""Alerts: severities in order, and the fingerprints other systems compute."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escalatord.core.alert import SEVERITIES, Severity, fingerprint_of

NAMES = st.text(min_size=1, max_size=8)


def test_severity_rank_grows_with_badness():
    """The four words are ordered from info to critical."""
    assert list(SEVERITIES) == [Severity.INFO, Severity.WARNING, Severity.ERROR, Severity.CRITICAL]
    assert [severity.rank for severity in SEVERITIES] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("fingerprint", "labels"),
    [
        pytest.param("cbf29ce484222325", {}, id="no label"),
        pytest.param(
            "2c25b567de9b2682",
            {"alertname": "DiskWillFill", "instance": "db-1:9100", "severity": "warning"},
            id="the example of the alerts API",
        ),
        pytest.param(
            "b85470062895e6c3",
            {"alertname": "HighErrorRate", "region": "eu-west", "service": "checkout", "severity": "critical"},
            id="the firing example of the webhook",
        ),
        pytest.param(
            "77fc1c5fe3e00aff",
            {"alertname": "HighErrorRate", "region": "eu-north", "service": "checkout", "severity": "critical"},
            id="the resolved example of the webhook",
        ),
    ],
)
def test_fingerprint_equals_the_one_alertmanager_computes(fingerprint, labels):
    """The reference examples give their published fingerprints."""
    assert fingerprint == fingerprint_of(labels)


@given(st.dictionaries(NAMES, NAMES, max_size=6))
def test_fingerprint_does_not_depend_on_the_order_of_labels(labels):
    """The same label set in another order is the same alert."""
    assert fingerprint_of(labels) == fingerprint_of(dict(reversed(labels.items())))


def test_fingerprint_tells_where_a_name_ends():
    """Names and values are set apart, so that moving a character between them shows."""
    assert fingerprint_of({"ab": "c"}) != fingerprint_of({"a": "bc"})


def test_fingerprint_of_a_lone_surrogate_does_not_raise():
    """Text that no UTF-8 can hold is replaced, not fatal."""
    assert len(fingerprint_of({"a": "\ud800"})) == 16
