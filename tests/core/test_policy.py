"""Policies as values."""

import pytest

from escalatord.core.alert import Severity
from escalatord.core.policy import ACK_HOLD_SECONDS_DEFAULT, TrackKind
from tests.fakes.world import PAYMENTS, person


def test_target_reads_as_it_is_written():
    """A target in a sentence is the text of the rules."""
    assert str(person("ana")) == "person ana"


def test_track_is_found_by_name():
    """A name nobody gave is a defect of the caller."""
    assert PAYMENTS.track("stakeholder").kind is TrackKind.STAKEHOLDER
    with pytest.raises(KeyError, match="nowhere"):
        PAYMENTS.track("nowhere")


@pytest.mark.parametrize(
    ("severity", "seconds"),
    [(Severity.CRITICAL, 3600), (Severity.ERROR, 28800), (Severity.WARNING, ACK_HOLD_SECONDS_DEFAULT)],
)
def test_ack_hold_goes_by_severity(severity, seconds):
    """Every ack ends some time; a severity without a figure of its own holds for a day."""
    assert PAYMENTS.ack_hold(severity) == seconds
