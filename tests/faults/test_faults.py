"""Every other fault, briefly: what `make faults` does at full length."""

from pathlib import Path

import pytest

from tests.faults import disks, kills, outages
from tests.faults.provider import OPTED_OUT

pytestmark = [pytest.mark.faults, pytest.mark.asyncio, pytest.mark.xdist_group("faults"), pytest.mark.timeout(120)]


async def test_tiers_that_came_due_while_the_daemon_was_dead_are_paged_after_its_start(tmp_path: Path):
    """Killed, started 5 s later: the next tier hears within 2 s of the start, once."""
    row = await kills.stay_dead(tmp_path, 5)
    assert (row.lost, row.duplicated) == (0, 0), row


async def test_a_stopped_process_pages_once_and_late_when_it_goes_on(tmp_path: Path):
    """SIGSTOP for 20 s over two tiers of 3 s: one page for the present tier, marked late."""
    row = await outages.stopped_and_continued(tmp_path, 20)
    assert (row.lost, row.duplicated) == (0, 0), row


async def test_sigterm_under_load_ends_with_0_and_cuts_nothing_off(tmp_path: Path):
    """Three polite stops: exit code 0, nothing lost, nothing twice though the provider cannot be asked."""
    row = await outages.told_to_stop(tmp_path, 3)
    assert (row.lost, row.duplicated) == (0, 0), row


async def test_a_page_behind_hung_ones_does_not_hang_as_long_as_they_did(tmp_path: Path):
    """The first provider hangs: every page goes out by the fallback, none after two time-outs of 13 s in a row."""
    row = await outages.provider_hangs(tmp_path, 8)
    assert (row.lost, row.duplicated) == (0, 0), row
    assert row.slowest_page_seconds <= 24, row


async def test_a_refusing_provider_costs_no_time(tmp_path: Path):
    """The first provider refuses everything: the next method goes out within 5 s."""
    row = await outages.provider_refuses(tmp_path, 2)
    assert (row.lost, row.duplicated) == (0, 0), row
    assert row.slowest_page_seconds <= 5, row


async def test_the_last_resort_is_reached_and_heard_when_everybody_refused(tmp_path: Path):
    """All providers refuse: incidents come to the last resort; it goes on until it is heard."""
    row = await outages.everybody_refuses(tmp_path, 1, every="3s", refusal=OPTED_OUT)
    assert (row.lost, row.duplicated) == (0, 0), row


async def test_a_locked_database_makes_everything_late_and_nothing_lost(tmp_path: Path):
    """Another process holds the write lock for 7 s: senders wait or get 503, then all goes on."""
    row = await outages.database_is_locked(tmp_path, 7)
    assert (row.lost, row.duplicated) == (0, 0), row
    assert row.slowest_page_seconds <= 15, row


async def test_unusable_rules_leave_the_old_ones_in_force(tmp_path: Path):
    """Five unusable rule sets on SIGHUP: the metric says 0, incidents go on."""
    row = await outages.rules_are_broken(tmp_path, 5)
    assert (row.lost, row.duplicated) == (0, 0), row


async def test_failing_writes_answer_503_and_need_no_restart(tmp_path: Path):
    """Every write of the process fails for 3 s, the log's too: 503, then everything goes on."""
    row = await disks.writes_are_refused(tmp_path, 3)
    assert (row.lost, row.duplicated) == (0, 0), row


@pytest.mark.skipif(not disks.can_mount(), reason="no memory disk can be mounted in a namespace here")
async def test_a_full_disk_answers_503_and_open_incidents_climb_on(tmp_path: Path):
    """The disk is full for 5 s: 503 for senders, tiers go on, recovery without a restart."""
    row = await disks.disk_is_full(tmp_path, 5)
    assert (row.lost, row.duplicated) == (0, 0), row
