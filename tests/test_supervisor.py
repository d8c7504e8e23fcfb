"""What is told to a service manager, and how often it wants to be told."""

import pytest

from escalatord.supervisor import Supervisor


@pytest.mark.parametrize(
    ("limit", "seconds"),
    [("", 15.0), ("0", 15.0), ("x", 15.0), ("120000000", 15.0), ("30000000", 10.0), ("3000000", 1.0)],
    ids=["no limit", "no limit in another way", "nonsense", "a long one", "that of our unit", "a short one"],
)
def test_signs_of_life_come_three_times_as_often_as_the_manager_wants(limit, seconds):
    """A unit with a shorter watchdog than our own would otherwise kill a daemon that pages."""
    assert Supervisor({"WATCHDOG_USEC": limit}).often_enough(15.0) == seconds
    assert Supervisor({}).often_enough(15.0) == 15.0
