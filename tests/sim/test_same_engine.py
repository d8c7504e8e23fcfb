"""One engine: however time and threads are arranged, the same things outside lead to the same journal (I11, T137)."""

import asyncio
import sys
import tempfile
from contextlib import suppress
from operator import itemgetter
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from escalatord.core.events import Ack
from escalatord.core.incident import Via
from escalatord.notify.simulated import Failure
from escalatord.sim.people import Cast, parse_people
from escalatord.sim.world import NIGHT, World
from tests.fakes.company import company, night
from tests.fakes.processes import Running, call, free_port, wait_until

POLICIES = """
    unmatched: {severity: error, policy: main}
    policies:
      main:
        tracks:
          technical:
            tiers:
              - {page: [oncall first], within: 4m, remind: [1m], plan: usual}
              - {page: [person bo], within: 3m, plan: safe}
              - {page: [person cy, person bo], within: 3m, plan: ring}
          stakeholder: {when: severity >= error, tiers: [{page: [person lea], within: 8m, plan: mail}]}
        last_resort: {page: [person boss], plan: safe, every: 5m}
        ack_holds: {default: 6m}
    """
# Odd delays: two things outside that happen at the very same instant have no order that anybody could promise.
DEEDS = (
    "no answer",
    "busy",
    "voicemail",
    "acks after 20s317ms",
    "acks by call after 5s713ms",
    "passes on by sms after 10s131ms",
)
MOMENTS = st.tuples(
    st.integers(0, 600), st.sampled_from(("fire", "resolve")), st.sampled_from(("DiskFull", "DiskSlow", "NetDown"))
)
SECONDS = 1500


async def journal_of(folder, *, brisk, moments, people, failures):
    """Return everything written and everything sent in a world that is told this story."""
    world = World(company(folder, policies=POLICIES), folder, NIGHT, brisk=brisk)
    await world.start()
    cast = Cast(world, parse_people(people))
    for channel, mode in failures.items():
        world.phones.fail(channel, mode)
    for at, deed, name in sorted(moments):
        await world.pass_time(seconds=max(0.0, at - world.elapsed))
        with suppress(KeyError):  # what does not fire cannot be resolved
            await getattr(world, deed)(name, host="db-1")
    await world.pass_time(seconds=SECONDS - world.elapsed)
    await cast.close()
    # each incident's own chain: what happens to two incidents at the very same instant has no order to be kept
    written = sorted(
        (
            (row.entry.incident, row.entry.at, row.entry.kind, row.entry.actor, row.entry.body, row.hash)
            for row in world.store.read(lambda tx: tx.journal_after(0, 100_000))
        ),
        key=itemgetter(0),
    )
    sent = sorted((m.at, m.person, m.name, m.kind, m.text, m.reference) for m in world.phones.sent)
    await world.stop()
    await world.phones.close()
    return written, sent


@settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(
    moments=st.lists(MOMENTS, min_size=1, max_size=5, unique_by=lambda moment: moment[0]),
    deeds=st.fixed_dictionaries({"ana": st.sampled_from(DEEDS), "bo": st.sampled_from(DEEDS)}),
    failures=st.dictionaries(
        st.sampled_from(("sms", "call", "chat")),
        st.sampled_from((Failure.REFUSE, Failure.ERROR, Failure.UNDELIVERED, Failure.NO_RECEIPT, Failure.HANG)),
        max_size=2,
    ),
)
def test_threads_and_short_cuts_change_nothing(moments, deeds, failures):
    """Real threads, syncs and looks around every five seconds write the very journal that a brisk world writes."""
    people = "; ".join(f"{person}: {deed}" for person, deed in deeds.items())
    told = []
    for brisk in (False, True):
        with tempfile.TemporaryDirectory() as folder:
            story = journal_of(Path(folder), brisk=brisk, moments=moments, people=people, failures=failures)
            told.append(asyncio.run(story))
    assert told[0] == told[1]


TIMES = frozenset({"seconds", "lateness_seconds", "hold_until", "why"})
LADDER = """
    unmatched: {severity: error, policy: main}
    policies:
      main:
        tracks:
          technical:
            tiers: [{page: [oncall first], within: 20s, plan: text}, {page: [person bo], within: 20s, plan: text}]
            repeat: 1
        last_resort: {page: [person boss], plan: text, every: 10m}
    """
CHANNELS = """
    channels:
      chat: {provider: sim}
      sms: {provider: sim}
      sms_backup: {provider: sim}
      call: {provider: sim}
      mail: {provider: sim}
    """
BODY = {
    "version": "4",
    "groupKey": '{}:{alertname="DiskFull"}',
    "status": "firing",
    "alerts": [
        {
            "status": "firing",
            "labels": {"alertname": "DiskFull", "host": "db-1"},
            "annotations": {},
            "startsAt": "2026-10-24T01:11:14Z",
            "endsAt": "0001-01-01T00:00:00Z",
        }
    ],
}


def plainly(entries):
    """Return entries as (kind, body without instants), what providers reported sorted in at its tier."""
    return sorted(
        ((kind, {key: value for key, value in body.items() if key not in TIMES}) for kind, body in entries),
        key=lambda entry: (entry[0], repr(sorted(entry[1].items()))),
    )


async def simulated_ladder(folder):
    """Return what a world writes when nobody answers until the last resort, and Bo acks then."""
    async with night(folder, policies=LADDER, channels=CHANNELS) as world:
        await world.fire("DiskFull", host="db-1")
        await world.pass_time(seconds=90)
        await world.say(Ack(person="bo", via=Via.API))
        await world.pass_time(seconds=5)
        world.phones.forget()
        return [(row.entry.kind, row.entry.body) for row in world.journal()]


def test_the_real_daemon_writes_what_the_simulation_wrote(tmp_path):
    """The daemon as a process of its own, twenty times as fast, over HTTP: the same ladder, entry by entry."""
    for name in ("simulated", "real"):
        (tmp_path / name).mkdir()
    expected = asyncio.run(simulated_ladder(tmp_path / "simulated"))
    rules, port = company(tmp_path / "real", policies=LADDER, channels=CHANNELS), free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "escalatord", "demo", "--rules", str(rules), "--speed", "20", "--example", ""]
    daemon = Running("demo", [*command, "--port", str(port)], tmp_path, PYTHONPATH=str(Path(__file__).parents[2]))
    try:
        wait_until("the daemon is ready", lambda: call(f"{url}/-/ready"))
        call(f"{url}/in/alertmanager", BODY)
        one = f"{url}/api/v1/incidents/1"

        def reached(kind):
            return any(entry["kind"] == kind for entry in call(one)["timeline"])

        wait_until("the last resort is paged", lambda: reached("last_resort"))
        last = next(entry for entry in call(one)["timeline"] if entry["kind"] == "last_resort")

        def delivered():
            after = [e for e in call(one)["timeline"] if e["seq"] > last["seq"] and e["kind"] == "delivery"]
            return any(entry["body"]["status"] == "delivered" for entry in after)

        wait_until("the last resort has its page", delivered)
        call(f"{one}/ack", {"person": "bo", "via": "api"})
        wait_until("Bo has it", lambda: reached("acknowledged"))
        told = [(entry["kind"], entry["body"]) for entry in call(one)["timeline"]]
    finally:
        daemon.stop()
    assert plainly(expected) == plainly(told)
    order = [kind for kind, _ in expected if kind not in ("delivery", "first_paged")]
    assert order == [kind for kind, _ in told if kind not in ("delivery", "first_paged")]
    assert order == ["opened", *["tier_entered"] * 4, "exhausted", "last_resort", "acknowledged"]
