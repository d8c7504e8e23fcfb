"""Rules that let go, that wait for other incidents, that count, that ask, and that miss what does not come."""

import json
from datetime import timedelta

import pytest

from escalatord.core.events import Resolve
from escalatord.core.incident import State, Via
from escalatord.engine.commands import RaiseIncident
from escalatord.engine.intake import RESOLVED_BY_HAND_HOLD_SECONDS
from escalatord.sim.bodies import Condition, body
from escalatord.sim.world import NIGHT, World
from tests.fakes.company import company, one_tier

POLICIES = """
    unmatched: {severity: error, policy: main}
    policies:
      main:
        tracks: {technical: {tiers: [{page: [person ana], within: 2h, plan: text}]}}
        last_resort: {page: [person boss], plan: text}
      network:
        tracks: {technical: {tiers: [{page: [person bo], within: 9h, plan: text}]}}
        last_resort: {page: [person boss], plan: text}
      legal:
        tracks: {compliance: {tiers: [{page: [person lea], within: 2h, plan: mail}]}}
        last_resort: {page: [person boss], plan: text}
        compliance: {regime: gdpr, clock_from: awareness, due: 72h}
    """
CLEARING = """
    facts:
      rate: {from: annotation.rate, unit: percent}
    thresholds:
      - name: failing
        match: alertname="Errors"
        severity:
          error: {when: rate > 2%}
          critical: {when: rate > 5%}
        clear: {when: rate < 1.5%, for: 3m}
    """
SYMPTOMS = """
    thresholds:
      - {name: network-down, match: alertname="NetworkDown", severity: {critical: {}}, policy: network}
      - name: unreachable
        match: alertname="HostDown"
        severity: {error: {}}
        group_by: [fingerprint]
        unless:
          - {open: network-down, same: [region], why: symptom of the network}
    """


def night(folder, at=NIGHT, **sections):
    """Return the company's world, told briskly."""
    return World(company(folder, **sections), folder, at, brisk=True)


class Oracle:
    """A Prometheus that says what a test wants; what it was asked is in `asked`."""

    def __init__(self, value=None):
        self.value = value
        self.asked = []

    async def measure(self, query):
        """Answer at once."""
        self.asked.append(query)
        return self.value


def rate(value):
    """Return the annotations of an error rate."""
    return {"rate": str(value)}


@pytest.mark.asyncio
async def test_a_rule_lets_go_when_clear_has_held_for_its_time(tmp_path):
    """At 3 % between the lines nothing changes; three minutes below 1.5 % it is over, to the second, and says why."""
    async with night(tmp_path, policies=POLICIES, thresholds=CLEARING) as world:
        await world.fire("Errors", annotations=rate(8))
        world.expect_sms("ana", "CRIT")
        await world.fire("Errors", annotations=rate(1.8))
        await world.pass_time(minutes=10)
        assert world.incident().state is State.OPEN
        await world.fire("Errors", annotations=rate(1))
        await world.pass_time(minutes=2, seconds=59)
        assert world.incident().state is State.OPEN
        await world.pass_time(seconds=1)
        assert world.incident().state is State.RESOLVED
        world.expect_sms("ana", "STAND DOWN", after=600 + 180)
        (cleared,) = world.journal(kind="cleared")
        assert cleared.entry.body["why"] == "failing is clear: clear when rate < 1.5% (1%), clear for 3m (3m)"
        # its sender's resolve comes later and changes nothing
        await world.resolve("Errors")
        assert len(world.incidents()) == 1


@pytest.mark.asyncio
async def test_a_break_starts_the_clear_clock_again_and_rising_pages_anew(tmp_path):
    """2 minutes clear, 1 not, 3 clear: over after the last. When it rises again, that is a new incident at once."""
    async with night(tmp_path, policies=POLICIES, thresholds=CLEARING) as world:
        await world.fire("Errors", annotations=rate(8))
        world.expect_sms("ana", "CRIT")
        await world.fire("Errors", annotations=rate(1))
        await world.pass_time(minutes=2)
        await world.fire("Errors", annotations=rate(1.7))
        await world.pass_time(minutes=1)
        await world.fire("Errors", annotations=rate(1.1))
        await world.pass_time(minutes=2, seconds=59)
        assert world.incident().state is State.OPEN
        await world.pass_time(seconds=1)
        world.expect_sms("ana", "STAND DOWN")
        await world.fire("Errors", annotations=rate(3))
        world.expect_sms("ana", "ERR")
        assert [incident.state for incident in world.incidents()] == [State.OPEN, State.RESOLVED]
        await world.resolve("Errors")
        world.expect_sms("ana", "STAND DOWN")


@pytest.mark.asyncio
async def test_a_claim_stays_over_a_restart_until_it_is_clear(tmp_path):
    """The severity claimed, and since when it is clear, are on disk: the restart moves nothing."""
    async with night(tmp_path, policies=POLICIES, thresholds=CLEARING) as world:
        await world.fire("Errors", annotations=rate(8))
        world.expect_sms("ana", "CRIT")
        await world.pass_time(minutes=1)
        await world.fire("Errors", annotations=rate(1))
        await world.restart(down_seconds=60)
        await world.pass_time(minutes=1, seconds=59)
        assert world.incident().state is State.OPEN
        await world.pass_time(seconds=1)
        world.expect_sms("ana", "STAND DOWN")


@pytest.mark.asyncio
async def test_one_rule_without_clear_keeps_the_page(tmp_path):
    """Two rules page the same alert; one has cleared, the other only knows its sender's resolve."""
    keeps = '      - {name: keeps, match: alertname="Errors", severity: {warning: {when: rate > 4%}}}\n'
    async with night(tmp_path, policies=POLICIES, thresholds=CLEARING.rstrip(" ") + keeps) as world:
        await world.fire("Errors", annotations=rate(8))
        world.expect_sms("ana", "CRIT")
        await world.fire("Errors", annotations=rate(1))
        await world.pass_time(hours=1)
        assert world.incident().state is State.OPEN
        await world.resolve("Errors")
        world.expect_sms("ana", "STAND DOWN")


@pytest.mark.asyncio
async def test_symptoms_are_quiet_while_their_cause_is_open(tmp_path):
    """Forty hosts of a region fall while its network is known to be down: one page. The other region pages."""
    async with night(tmp_path, policies=POLICIES, thresholds=SYMPTOMS) as world:
        await world.fire("NetworkDown", region="eu")
        world.expect_sms("bo", "CRIT")
        for host in range(40):
            await world.fire("HostDown", region="eu", host=str(host))
        await world.fire("HostDown", region="us", host="x")
        world.expect_sms("ana", "ERR")
        assert len(world.incidents()) == 2
        await world.pass_time(minutes=1)
        for host in range(1, 40):
            await world.resolve("HostDown", region="eu", host=str(host))
        # the network is back, host 0 is not: now it is a page of its own, at once and without another webhook
        await world.resolve("NetworkDown", region="eu")
        world.expect_sms("bo", "STAND DOWN")
        world.expect_sms("ana", "ERR", after=60)
        verdict = world.store.read(
            lambda tx: [tx.verdict_of("alertmanager", each.alert.fingerprint) for each in tx.alerts_of(3)]
        )
        assert "no such incident is open" in json.dumps(verdict)
        for host, region in (("0", "eu"), ("x", "us")):
            await world.resolve("HostDown", region=region, host=host)
            world.expect_sms("ana", "STAND DOWN")


@pytest.mark.asyncio
async def test_a_cause_that_ends_in_one_place_keeps_quiet_only_where_it_goes_on(tmp_path):
    """Two regions in one incident: the symptom of the one that is back pages, though the incident is still open."""
    async with night(tmp_path, policies=POLICIES, thresholds=SYMPTOMS) as world:
        for region in ("eu", "us"):
            await world.fire("NetworkDown", region=region, group="network")
            await world.fire("HostDown", region=region)
        world.expect_sms("bo", "CRIT")
        await world.pass_time(minutes=1)
        await world.resolve("NetworkDown", region="eu", group="network")
        assert world.incident().state is State.OPEN
        assert "region=eu" in str(world.store.read(lambda tx: tx.alerts_of(2))[0].alert.labels).replace("': '", "=")
        world.expect_sms("ana", "ERR", after=60)


@pytest.mark.asyncio
async def test_a_cause_closed_by_hand_lets_its_symptoms_speak(tmp_path):
    """Bo says it is over: the symptom that still fires is looked at again at once, also after a restart before it."""
    async with night(tmp_path, policies=POLICIES, thresholds=SYMPTOMS) as world:
        await world.fire("NetworkDown", region="eu")
        world.expect_sms("bo", "CRIT")
        await world.fire("HostDown", region="eu", host="a")
        await world.restart(down_seconds=5)
        await world.fire("HostDown", region="eu", host="b")
        await world.pass_time(minutes=5)
        world.expect_nothing()
        await world.say(Resolve(person="bo", via=Via.WEB))
        world.expect_sms("ana", "ERR", after=305)
        world.expect_sms("ana", "ERR", after=305)
        assert RESOLVED_BY_HAND_HOLD_SECONDS > 300
        for host in "ab":
            await world.resolve("HostDown", region="eu", host=host)
            world.expect_sms("ana", "STAND DOWN")


@pytest.mark.asyncio
async def test_what_paged_before_its_cause_stays_paged(tmp_path):
    """A cause that opens later silences nobody who was paged already; the next symptom is quiet."""
    async with night(tmp_path, policies=POLICIES, thresholds=SYMPTOMS) as world:
        await world.fire("HostDown", region="eu", host="a")
        world.expect_sms("ana", "ERR")
        await world.fire("NetworkDown", region="eu")
        world.expect_sms("bo", "CRIT")
        await world.fire("HostDown", region="eu", host="b")
        assert {incident.rule: incident.state for incident in world.incidents()} == {
            "unreachable": State.OPEN,
            "network-down": State.OPEN,
        }
        await world.resolve("HostDown", region="eu", host="a")
        world.expect_sms("ana", "STAND DOWN")
        await world.resolve("HostDown", region="eu", host="b")
        await world.resolve("NetworkDown", region="eu")
        world.expect_sms("bo", "STAND DOWN")


@pytest.mark.asyncio
async def test_cause_and_symptoms_in_one_body_are_one_page(tmp_path):
    """Whatever their order in the webhook, the cause is acted upon first."""
    async with night(tmp_path, policies=POLICIES, thresholds=SYMPTOMS) as world:
        alerts = [
            {
                "status": "firing",
                "labels": {"alertname": name, "region": "eu", "host": host},
                "annotations": {},
                "startsAt": world.began.isoformat(),
                "endsAt": "0001-01-01T00:00:00Z",
            }
            for name, host in (("HostDown", "a"), ("HostDown", "b"), ("NetworkDown", ""))
        ]  # fmt: skip - one alert, one line
        done = await world.post("alertmanager", json.dumps({"version": "4", "alerts": alerts}).encode())
        world.expect_sms("bo", "CRIT")
        assert [item.incident for item in done.accepted] == [0, 0, 1]


@pytest.mark.asyncio
async def test_a_rule_counts_its_alerts_and_brings_in_those_before(tmp_path):
    """Two hosts are nothing; the third makes it an error, and all three are in the incident at once."""
    counting = """
        thresholds:
          - {name: many, match: alertname="HostDown", severity: {error: {when: firing_alerts >= 3}}, policy: main}
        """
    async with night(tmp_path, policies=POLICIES, thresholds=counting) as world:
        for host in "ab":
            await world.fire("HostDown", host=host, group="hosts")
        await world.pass_time(minutes=5)
        assert world.incidents() == []
        await world.fire("HostDown", host="c", group="hosts")
        world.expect_sms("ana", "ERR", after=300)
        await world.pass_time(seconds=1)
        assert (world.incident().alerts, sum(world.incident().firing)) == (3, 3)
        while world.phones.unexpected():
            world.expect_sms("ana")
        for host in "abc":
            await world.resolve("HostDown", host=host, group="hosts")
        world.expect_sms("ana", "STAND DOWN")


@pytest.mark.asyncio
async def test_distinct_values_in_a_window(tmp_path):
    """Five restarts of one pod are noise; three pods within two minutes are an error."""
    counting = """
        thresholds:
          - name: spreading
            match: alertname="Restarted"
            severity: {error: {when: distinct(pod) in 2m >= 3}}
            repage_on_new_alert: false
        """
    async with night(tmp_path, policies=POLICIES, thresholds=counting) as world:
        for turn in range(5):
            await world.fire("Restarted", pod="a", turn=str(turn), group="pods")
        await world.fire("Restarted", pod="b", group="pods")
        await world.pass_time(minutes=2)
        await world.fire("Restarted", pod="c", group="pods")
        assert world.incidents() == []
        await world.fire("Restarted", pod="d", group="pods")
        await world.fire("Restarted", pod="e", group="pods")
        world.expect_sms("ana", "ERR", after=120)


@pytest.mark.asyncio
async def test_counting_goes_on_after_a_restart(tmp_path):
    """What fired before the restart counts after it."""
    counting = """
        thresholds:
          - {name: many, match: alertname="HostDown", severity: {error: {when: rule_occurrences in 10m >= 3}}}
        """
    async with night(tmp_path, policies=one_tier("text"), thresholds=counting) as world:
        await world.fire("HostDown", host="a", group="hosts")
        await world.resolve("HostDown", host="a", group="hosts")
        await world.fire("HostDown", host="b", group="hosts")
        await world.restart(down_seconds=60)
        await world.fire("HostDown", host="c", group="hosts")
        world.expect_sms("ana", "ERR")
        await world.pass_time(seconds=1)
        assert world.incident().alerts == 2


ABSENT = """
    thresholds:
      - name: backup-silent
        absent: {source: batch, match: job="backup", for: 26m}
        severity: {warning: {}, error: {when: downtime >= 2m}}
        policy: main
    """
BATCH = """
    sources:
      alertmanager: {adapter: alertmanager, auth: loopback}
      batch:
        adapter: generic
        auth: loopback
        map:
          fingerprint: $.job
          status: {path: $.state, firing: [failed], resolved: [done]}
          title: $.job
          labels: {job: $.job}
    """


@pytest.mark.asyncio
async def test_what_does_not_come_pages_and_its_coming_ends_it(tmp_path):
    """26 minutes after the last message to the second, also over a restart; any that matches is a sign of life."""
    async with night(tmp_path, policies=POLICIES, thresholds=ABSENT, sources=BATCH) as world:
        await world.pass_time(minutes=25)
        await world.post("batch", b'{"job": "backup", "state": "done"}')
        await world.post("batch", b'{"job": "other", "state": "done"}')
        await world.pass_time(minutes=10)
        await world.restart(down_seconds=600)
        await world.pass_time(minutes=5, seconds=59)
        assert world.incidents() == []
        await world.pass_time(seconds=1)
        assert "Nothing came from batch for 26m" in world.expect_sms("ana", "WARN", after=51 * 60).text
        await world.pass_time(minutes=2)
        world.expect_sms("ana", "ERR", after=53 * 60)
        await world.post("batch", b'{"job": "backup", "state": "done"}')
        world.expect_sms("ana", "STAND DOWN")
        await world.pass_time(minutes=26)
        world.expect_sms("ana", "WARN", after=(53 + 26) * 60)


@pytest.mark.asyncio
async def test_after_a_long_absence_of_ours_senders_have_a_grace(tmp_path):
    """We were away for two days: nobody is accused before five minutes have passed."""
    async with night(tmp_path, policies=POLICIES, thresholds=ABSENT, sources=BATCH) as world:
        await world.restart(down_seconds=48 * 3600)
        await world.pass_time(minutes=4, seconds=59)
        world.expect_nothing()
        await world.pass_time(seconds=1)
        world.expect_sms("ana", "Nothing came")


@pytest.mark.asyncio
async def test_a_rule_that_is_gone_lets_its_alert_go(tmp_path):
    """The watch is taken out of the rules: its incident ends with it."""
    async with night(tmp_path, policies=POLICIES, thresholds=ABSENT, sources=BATCH) as world:
        await world.pass_time(minutes=26)
        world.expect_sms("ana", "WARN")
        await world.reload(company(tmp_path, policies=POLICIES, thresholds="thresholds: []", sources=BATCH))
        world.expect_sms("ana", "STAND DOWN")
        await world.pass_time(minutes=60)


ASKING = """
    prometheus: {url: "http://127.0.0.1:9", timeout: 2s, cache: 30s}
    facts:
      users: {from: annotation.users, or_query: 'sum(sessions{service="{{ service }}"})', unit: users, missing: MISSING}
    thresholds:
      - name: felt
        match: alertname="Errors"
        severity: {warning: {when: users >= 1}, error: {when: users >= 1000, for: 1m}}
    """


@pytest.mark.asyncio
async def test_prometheus_is_asked_where_the_alert_does_not_say(tmp_path):
    """The alert is committed first, the page follows the answer; it is asked again every 30 s while it fires."""
    async with night(tmp_path, policies=POLICIES, thresholds=ASKING.replace("MISSING", "skip")) as world:
        oracle = world.engine.asker.measurer = Oracle(200.0)
        done = await world.fire("Errors", service='a"} or vector(1e9) #')
        assert done.accepted[0].incident == 0
        await world.pass_time(seconds=1)
        world.expect_sms("ana", "WARN", after=0)
        assert set(oracle.asked) == {'sum(sessions{service="a\\"} or vector(1e9) #"})'}
        oracle.value = 2000.0
        await world.pass_time(seconds=88)
        world.expect_nothing()
        # seen at 30 s, true since then, held for a minute
        await world.pass_time(seconds=1)
        world.expect_sms("ana", "ERR", after=90)
        assert len(oracle.asked) == 4
        await world.fire("Errors", service="said", annotations={"users": "5000"})
        world.expect_sms("ana", "WARN")
        assert len(oracle.asked) == 4


@pytest.mark.asyncio
@pytest.mark.parametrize(("missing", "pages"), [("page", True), ("skip", False)])
@pytest.mark.parametrize("there", [True, False], ids=["it fails", "nobody answers"])
async def test_without_an_answer_the_fact_is_missing_after_the_timeout(tmp_path, missing, pages, there):
    """A Prometheus that fails, or says nothing at all: at most two seconds later `missing` decides."""
    async with night(tmp_path, policies=POLICIES, thresholds=ASKING.replace("MISSING", missing)) as world:
        world.engine.asker.measurer = Oracle(None) if there else None
        await world.fire("Errors", service="shop")
        await world.pass_time(seconds=2)
        if pages:
            world.expect_sms("ana", "WARN", after=0 if there else 2)
        world.expect_nothing()
        await world.pass_time(minutes=2)
        assert len(world.incidents()) == pages
        while world.phones.unexpected():
            world.expect_sms("ana", "ERR")


@pytest.mark.asyncio
async def test_a_stale_answer_counts_until_the_new_one_and_breaks_no_hold(tmp_path):
    """The cache runs out inside `for`: the hold goes on, and pages on time."""
    async with night(tmp_path, policies=POLICIES, thresholds=ASKING.replace("MISSING", "skip")) as world:
        world.engine.asker.measurer = Oracle(3000.0)
        await world.fire("Errors", service="shop")
        world.expect_sms("ana", "WARN")
        for _ in range(5):
            await world.pass_time(seconds=11)
            await world.fire("Errors", service="shop", annotations={"note": str(_)})
        await world.pass_time(seconds=5)
        world.expect_sms("ana", "ERR", after=60)


@pytest.mark.asyncio
async def test_a_regulated_service_brings_its_compliance_track(tmp_path):
    """Nothing in the rule says so: the service is under a regime, and the regime has a policy."""
    regulated = """
        services:
          shop: {policy: main, segments: [enterprise], regulated: [pii]}
          blog: {policy: main}
        regimes: {pii: legal}
        thresholds:
          - {name: vip, match: 'segment="enterprise", regulated!~"none|pci"', severity: {critical: {}}}
          - {name: rest, match: 'segment!="enterprise"', severity: {warning: {}}}
        """
    async with night(tmp_path, policies=POLICIES, thresholds=regulated) as world:
        await world.fire("Errors", service="shop")
        world.expect_sms("ana", "CRIT")
        world.expect_mail("lea")
        assert [track.name for track in world.incident().tracks] == ["technical", "compliance"]
        await world.fire("Errors", service="blog")
        world.expect_sms("ana", "WARN")
        assert [track.name for track in world.incident(2).tracks] == ["technical"]
        await world.resolve("Errors", service="blog")
        world.expect_sms("ana", "STAND DOWN")
        await world.resolve("Errors", service="shop")
        world.expect_sms("ana", "STAND DOWN")
        assert world.incident().state is not State.RESOLVED
        raised = await world.submit(RaiseIncident(title="odd", person="ana", via=Via.WEB, service="shop"))
        assert [track.name for track in raised.incident.tracks] == ["technical", "compliance"]
        world.expect_sms("ana", "CRIT")
        world.expect_mail("lea")


ANOMALY = """
    facts:
      arrivals: {from: value.score, unit: ""}
    thresholds:
      - name: unusual
        anomaly: {source: alertmanager, factor: 3, shadow: SHADOW}
        severity: {warning: {when: arrivals >= 3}}
        policy: network
      - {name: rest, match: alertname="Tick", severity: {info: {when: downtime > 1000d}}}
    """


async def hours(world, *counts):
    """Let so many alerts come in each of these hours: all of them at its start, and their ends with them."""
    for count in counts:
        for status in ("firing", "resolved"):
            told = [Condition(labels={"alertname": "Tick", "number": str(number)}) for number in range(count // 2)]
            starts = {each.fingerprint: world.clock.now() for each in told}
            await world.post("alertmanager", body(told, status, starts, world.clock.now(), "ticks"))
        await world.pass_time(hours=1)


@pytest.mark.asyncio
@pytest.mark.parametrize("shadow", ["true", "false"])
async def test_more_or_fewer_alerts_than_in_past_weeks(tmp_path, shadow):
    """Four weeks of 40 an hour, then an hour of 130 and one of 10: each is told, with what is usual and why."""
    text = ANOMALY.replace('unit: ""', "missing: page").replace("SHADOW", shadow)
    async with night(tmp_path, at="2026-10-24 03:00 UTC", policies=POLICIES, thresholds=text) as world:
        for _ in range(4):
            await world.pass_time(hours=1)
            await hours(world, 40, 40)
            await world.restart(down_seconds=165 * 3600)
        world.expect_nothing()
        await world.pass_time(hours=1)
        await hours(world, 122, 10)
        await world.pass_time(seconds=1)
        said = [row.entry.body for row in world.journal(0, kind="would_have_paged")]
        if shadow == "true":
            assert [body["kind"] for body in said] == ["storm", "silence"]
            assert said[0]["say"] == (
                "122 alerts from alertmanager between 04:00 and 05:00 UTC; 13 to 120 are usual "
                "(this hour in past weeks: 40, 40, 40, 40)"
            )
            assert (said[1]["observed"], said[1]["expected"], said[1]["score"]) == (10, 40, 4)
            assert world.incidents() == []
        else:
            assert said == []
            world.expect_sms("bo", "More alerts than usual")
            world.expect_sms("bo", "Fewer alerts than usual")
            world.expect_sms("bo", "STAND DOWN")
            assert world.incident(2).opened_at - world.incident().opened_at == timedelta(hours=2)
