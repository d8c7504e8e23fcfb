"""Rules whose answer changes with time or with more alerts, copies, and how incidents end."""

import json

import pytest

from escalatord.core.alert import Severity
from escalatord.core.incident import State
from tests.fakes.company import night

THRESHOLDS = """
    services:
      shop: {policy: main, revenue_per_hour: 120000 EUR}
    facts:
      error_rate: {from: annotation.error_rate, unit: percent}
    thresholds:
      - name: shop-failing
        match: service="shop", alertname="HighErrorRate"
        severity:
          error: {when: error_rate > 2%, for: 5m}
          critical: {any: [error_rate > 5%, downtime >= 15m]}
        unless:
          - {match: 'env="staging"', why: not customer facing}
      - name: noisy
        match: alertname="PodRestarted"
        severity: {warning: {}}
        repage_on_new_alert: false
    """
ALERT = {"service": "shop", "env": "prod"}


@pytest.mark.asyncio
async def test_for_and_downtime_count_to_the_second_without_another_webhook(tmp_path):
    """One webhook, then silence: the page leaves when `for` is over, and it is critical when the downtime says so."""
    async with night(tmp_path, thresholds=THRESHOLDS) as world:
        await world.fire("HighErrorRate", annotations={"error_rate": "3"}, **ALERT)
        await world.pass_time(minutes=4, seconds=59)
        world.expect_nothing()
        assert world.incidents() == []
        await world.pass_time(seconds=2)
        world.expect_sms("ana", "ERR K7 shop", after=300)
        await world.reply("ana", "K7")
        await world.pass_time(minutes=11)
        world.expect_sms("ana", "CRIT K7 shop", after=900)
        incident = world.incident()
        assert (incident.severity, incident.opened_severity) == (Severity.CRITICAL, Severity.ERROR)
        assert incident.state is State.OPEN
        await world.reply("ana", "K7")


@pytest.mark.asyncio
async def test_a_condition_that_ends_before_its_time_pages_nobody(tmp_path):
    """It recovers after four of the five minutes: nobody ever hears of it."""
    async with night(tmp_path, thresholds=THRESHOLDS) as world:
        await world.fire("HighErrorRate", annotations={"error_rate": "3"}, **ALERT)
        await world.pass_time(minutes=4)
        await world.resolve("HighErrorRate", **ALERT)
        await world.pass_time(hours=1)
        assert world.incidents() == []


@pytest.mark.asyncio
async def test_a_severity_that_rises_after_the_ack_pages_again(tmp_path):
    """Ana holds it as an error; at 8 % it is critical, and she is told at once."""
    async with night(tmp_path, thresholds=THRESHOLDS) as world:
        await world.fire("HighErrorRate", annotations={"error_rate": "3"}, seconds_ago=0, **ALERT)
        await world.pass_time(minutes=5)
        world.expect_sms("ana")
        await world.reply("ana", "K7")
        await world.pass_time(minutes=2)
        await world.fire("HighErrorRate", annotations={"error_rate": "8"}, **ALERT)
        world.expect_sms("ana", "CRIT", after=420)
        await world.reply("ana", "K7")
        raised = world.journal(kind="severity_raised")[0].entry.body
        assert (raised["from"], raised["to"]) == ("error", "critical")


@pytest.mark.asyncio
async def test_falling_below_the_threshold_is_no_recovery(tmp_path):
    """The rate falls to 1 % but the alert still fires: whoever was paged stays paged until the sender resolves it."""
    async with night(tmp_path, thresholds=THRESHOLDS) as world:
        await world.fire("HighErrorRate", annotations={"error_rate": "8"}, **ALERT)
        world.expect_sms("ana")
        await world.pass_time(minutes=1)
        await world.fire("HighErrorRate", annotations={"error_rate": "1"}, **ALERT)
        await world.pass_time(minutes=5)
        world.expect_sms("bo")
        await world.resolve("HighErrorRate", **ALERT)
        world.expect_sms("ana", "STAND DOWN")
        world.expect_sms("bo", "STAND DOWN")


@pytest.mark.asyncio
async def test_what_a_rule_excuses_is_recorded_and_pages_nobody(tmp_path):
    """Staging never pages; what the rules decided, and why, can be looked up all the same."""
    async with night(tmp_path, thresholds=THRESHOLDS) as world:
        done = await world.fire("HighErrorRate", annotations={"error_rate": "50"}, service="shop", env="staging")
        await world.pass_time(hours=1)
        assert done.accepted[0].incident == 0
        fingerprint = done.accepted[0].fingerprint
        verdict = world.store.read(lambda tx: tx.verdict_of("alertmanager", fingerprint))
        assert "not customer facing" in json.dumps(verdict)


@pytest.mark.asyncio
async def test_a_new_alert_in_an_acked_incident_pages_its_owner(tmp_path):
    """A second host joins an incident that Ana holds: she hears of it; a rule may say that she need not."""
    async with night(tmp_path, thresholds=THRESHOLDS) as world:
        await world.fire("DiskFull", host="db-1", group="disks")
        world.expect_sms("ana")
        await world.reply("ana", "K7")
        await world.fire("DiskFull", host="db-2", group="disks")
        world.expect_sms("ana", "K7")
        await world.reply("ana", "K7")
        assert world.incident().alerts == 2
        await world.fire("PodRestarted", pod="a", group="pods")
        world.expect_sms("ana", "L9")
        await world.reply("ana", "L9")
        await world.fire("PodRestarted", pod="b", group="pods")
        await world.pass_time(minutes=10)


@pytest.mark.asyncio
async def test_copies_of_a_redundant_pair_are_one_incident(tmp_path):
    """Two Alertmanagers send the same body, again and again, one of them a second older: one page, one incident."""
    async with night(tmp_path) as world:
        for _ in range(3):
            first = await world.fire("DiskFull", host="db-1")
            again = await world.fire("DiskFull", host="db-1")
            await world.pass_time(minutes=1)
        assert (first.accepted[0].incident, again.accepted[0].incident) == (1, 1)
        assert again.changed is False
        assert len(world.incidents()) == 1
        world.expect_sms("ana")
        await world.reply("ana", "K7")


@pytest.mark.asyncio
async def test_a_late_copy_after_the_resolve_opens_nothing(tmp_path):
    """The slower one of a pair still says firing a second after the faster one said resolved: nobody is woken."""
    async with night(tmp_path) as world:
        await world.fire("DiskFull")
        world.expect_sms("ana")
        copy = json.dumps(
            {"version": "4", "alerts": [{"labels": {"alertname": "DiskFull"}, "startsAt": world.began.isoformat()}]}
        ).replace('{"labels"', '{"status": "firing", "labels"')
        await world.pass_time(minutes=2)
        await world.resolve("DiskFull")
        world.expect_sms("ana", "STAND DOWN")
        await world.pass_time(seconds=1)
        done = await world.post("alertmanager", copy.encode())
        assert done is not None
        assert done.changed is False
        assert len(world.incidents()) == 1
        await world.pass_time(minutes=10)
        await world.fire("DiskFull")
        world.expect_sms("ana", after=721)
        await world.reply("ana", "ok")


@pytest.mark.asyncio
async def test_a_group_is_over_when_its_last_alert_is(tmp_path):
    """Two alerts of one group: the first resolve changes nothing for who is paged, the second stands them down."""
    async with night(tmp_path) as world:
        await world.fire("DiskFull", host="db-1", group="disks")
        await world.fire("DiskFull", host="db-2", group="disks")
        world.expect_sms("ana")
        await world.resolve("DiskFull", host="db-1", group="disks")
        assert world.incident().state is State.OPEN
        await world.resolve("DiskFull", host="db-2", group="disks")
        world.expect_sms("ana", "STAND DOWN")
        assert world.incident().state is State.RESOLVED


@pytest.mark.asyncio
async def test_one_group_becomes_an_incident_for_each_fingerprint_where_the_rule_says_so(tmp_path):
    """`group_by: [fingerprint]` splits an Alertmanager's group: each host has its own incident and its own ack."""
    split = """
        thresholds:
          - {name: disks, match: alertname="DiskFull", severity: {error: {}}, group_by: [fingerprint]}
        """
    async with night(tmp_path, thresholds=split) as world:
        await world.fire("DiskFull", host="db-1", group="disks")
        await world.fire("DiskFull", host="db-2", group="disks")
        world.expect_sms("ana", "K7")
        world.expect_sms("ana", "L9")
        await world.reply("ana", "L9")
        assert [incident.acknowledged_by for incident in world.incidents()] == ["ana", ""]
        await world.reply("ana", "K7")


@pytest.mark.asyncio
async def test_an_alert_that_changes_all_the_time_never_starts_the_clock_again(tmp_path):
    """Thirty updates in five minutes page nobody again: Bo is paged five minutes after the start."""
    async with night(tmp_path, thresholds=THRESHOLDS) as world:
        for place in range(30):
            await world.fire("HighErrorRate", annotations={"error_rate": str(8 + place % 2)}, **ALERT)
            await world.pass_time(seconds=10)
        world.expect_sms("ana", after=0)
        world.expect_sms("bo", after=300)
        await world.reply("bo", "K7")
        world.expect_sms("ana", "was acked by Bo")
