"""Nodes and their figures: read from the journal when it is complete, and so the same on each."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from escalatord.clock import FollowingClock, SystemClock
from escalatord.config.load import load
from escalatord.engine.commands import Ingest, Remark
from escalatord.engine.engine import Engine
from escalatord.engine.ledger import Ledger
from escalatord.engine.peers import HEARTBEAT_SECONDS, Peers
from escalatord.engine.seeding import Figures
from escalatord.store.nodes import NEWS_KEPT_SECONDS, Horizon
from escalatord.store.store import Store
from tests.engine.test_nodes import RULES
from tests.fakes.rule_sets import written
from tests.fakes.rulesets import ALERT
from tests.store.samples import entry


@asynccontextmanager
async def node(url, rules):
    """Give a node that has joined and commits, its other loops at rest: (engine, figures, peers)."""
    store = Store(url)
    store.open()
    clock = FollowingClock(SystemClock())
    engine = Engine(store, load(rules).ruleset, clock, link_key=b"k" * 32)
    figures = Figures(Ledger())
    peers = Peers(engine, figures, clock, "0.1.0")
    engine.on_written = figures.written
    await peers.join()
    await engine.start(beside_others=peers.others_alive())
    await figures.seed(engine)
    commits = asyncio.create_task(engine.run_commits())
    try:
        yield engine, figures, peers
    finally:
        commits.cancel()
        await engine.close()
        store.close()


def body(*names):
    """Return alerts that each open an incident."""
    alerts = (replace(ALERT, source="am", fingerprint=name, labels={"alertname": f"Plain{name}"}) for name in names)
    return Ingest(source="am", alerts=tuple(alerts))


@pytest.mark.asyncio
async def test_every_node_comes_to_the_same_figures(server, tmp_path):
    """Alerts at both nodes: after two looks each counts all of them once, and open pages heard of the others'."""
    url, rules = server.make_schema(), written(tmp_path, r=RULES)
    async with node(url, rules) as (one, figures, peers), node(url, rules) as (other, more_figures, more_peers):
        with one.watch() as news:
            await one.submit(body("a", "b"))
            await other.submit(body("c"))
            for _ in range(3):
                await peers.look()
                await more_peers.look()
            heard = [news.get_nowait().incidents for _ in range(news.qsize())]
        assert figures.ledger.snapshot() == more_figures.ledger.snapshot()
        everything = Ledger()
        for row in await one.read(lambda tx: tx.journal_after(0, 1_000)):
            everything.apply(row)
        assert everything.snapshot() == figures.ledger.snapshot(), "what figures are not made of is not read"
        opened = {key: total for key, total in figures.ledger.counters().items() if key[0] == "incidents_opened"}
        assert sum(opened.values()) == 3
        assert figures.caught_up
        assert {number for numbers in heard for number in numbers} == {1, 2, 3}
        await figures.keep(one, anyway=True)
        async with node(url, rules) as (_, third, third_peers):
            assert third.seq == figures.seq
            for _ in range(3):
                await third_peers.look()
            assert third.ledger.snapshot() == figures.ledger.snapshot()


@pytest.mark.asyncio
async def test_nothing_is_counted_before_the_journal_is_complete(server, tmp_path):
    """Somebody took a number and has not committed: what came after it waits, and then all is counted once."""
    url, rules = server.make_schema(), written(tmp_path, r=RULES)
    slow = Store(url)
    slow.open()
    async with node(url, rules) as (one, figures, peers):
        opened = {"policy": "main", "severity": "error", "cause": "threshold"}

        def take_a_number(tx):
            tx.append([entry(999, "opened", body=opened)])
            ahead = asyncio.run_coroutine_threadsafe(one.submit(body("a")), loop)
            ahead.result(10)
            for _ in range(4):
                asyncio.run_coroutine_threadsafe(peers.look(), loop).result(10)
            return figures.ledger.snapshot()["counters"]

        loop = asyncio.get_running_loop()
        assert await asyncio.to_thread(slow.write, take_a_number) == []
        for _ in range(3):
            await peers.look()
        counted = sum(total for key, total in figures.ledger.counters().items() if key[0] == "incidents_opened")
        assert counted == 2
    slow.close()


@pytest.mark.asyncio
async def test_what_is_committed_late_under_a_lower_number_is_told_too(server, tmp_path):
    """Each change is told once to whoever watches, in whatever order it was committed; one's own is not told again."""
    url, rules = server.make_schema(), written(tmp_path, r=RULES)
    slow = Store(url)
    slow.open()
    async with node(url, rules) as (one, _, peers):
        loop = asyncio.get_running_loop()
        heard = []
        one.hear = lambda news: heard.extend(news.incidents)
        before = one.on_written
        one.on_written = lambda told: (before(told), peers.written(told))

        def late(tx):
            tx.append([entry(998, "noted")])
            asyncio.run_coroutine_threadsafe(one.submit(body("a")), loop).result(10)
            for _ in range(4):
                asyncio.run_coroutine_threadsafe(peers.look(), loop).result(10)

        await asyncio.to_thread(slow.write, late)
        for _ in range(4):
            await peers.look()
        assert heard == [1, 998]
        await asyncio.to_thread(slow.write, lambda tx: tx.append([entry(1, "noted"), entry(998, "noted")]))
        for _ in range(4):
            await peers.look()
        assert sorted(heard) == [1, 1, 998, 998]
        assert peers._told == {}, "what has settled need not be remembered"
    slow.close()


@pytest.mark.asyncio
async def test_nodes_see_each_other_come_live_and_go(server, tmp_path):
    """Each knows the others; a sign of life moves the lease; who leaves is gone."""
    url, rules = server.make_schema(), written(tmp_path, r=RULES)
    async with node(url, rules) as (one, _, peers):
        assert not peers.others_alive()
        async with node(url, rules) as (_, _, more_peers):
            await peers.look()
            assert peers.others_alive()
            assert {known.id for known in peers.known} == {peers.own, more_peers.own}
            more_peers.lateness_seconds = 1.5
            before = more_peers.known[-1].lease_until
            await more_peers.beat()
            await peers.look()
            assert peers.known[-1].lease_until > before
            assert peers.known[-1].lateness_seconds == 1.5
            await more_peers.leave()
        await peers.look()
        assert not peers.others_alive()
        assert one.lease.is_limited


@pytest.mark.asyncio
async def test_a_node_that_was_forgotten_joins_again(server, tmp_path):
    """It was away for more than a day and its row was swept: it is a new one, with a lease of its own."""
    async with node(server.make_schema(), written(tmp_path, r=RULES)) as (one, _, peers):
        before, chain = peers.own, one._store.chain
        await one.write(lambda tx: tx.nodes.leave(before))
        await peers.beat()
        assert peers.own != before
        assert one._store.chain < chain
        await one.submit(Remark(kind="config_loaded", body={}))


def tell(store, count, at):
    """Let a node that is not there tell of so many alerts at `at`."""
    store.write(lambda tx: tx.nodes.tell([("am", f"a{number}") for number in range(count)], at))


def told(store):
    """Return how many news are kept."""
    return store.read(lambda tx: tx.connection.execute(text("SELECT count(*) FROM alert_news")).scalar_one())


@pytest.mark.asyncio
async def test_news_that_everybody_heard_are_forgotten_a_few_at_a_time(server, tmp_path, monkeypatch):
    """Three transactions for what was told hours ago; what was told lately stays; then it rests for ten minutes."""
    monkeypatch.setattr("escalatord.engine.peers.NEWS_FORGOTTEN_AT_ONCE_MAX", 4)
    url, rules = server.make_schema(), written(tmp_path, r=RULES)
    async with node(url, rules) as (one, _, peers):
        now = await one.write(lambda tx: tx.standing.now)
        tell(one._store, 10, now - timedelta(seconds=NEWS_KEPT_SECONDS + 1))
        tell(one._store, 3, now - timedelta(seconds=NEWS_KEPT_SECONDS - 60))
        left = []
        for _ in range(5):
            await peers.tidy()
            left.append(told(one._store))
        assert left == [9, 5, 3, 3, 3]
        tell(one._store, 2, now - timedelta(hours=2))
        await peers.tidy()
        assert told(one._store) == 5, "nothing is looked for before ten minutes are over"


@pytest.mark.asyncio
async def test_a_node_at_work_forgets_by_itself(server, tmp_path):
    """Nobody has to call for it: its loop does it beside the looks."""
    async with node(server.make_schema(), written(tmp_path, r=RULES)) as (one, _, peers):
        started_at = peers.known[0].started_at
        tell(one._store, 10, started_at - timedelta(hours=2))
        async with asyncio.timeout(10), asyncio.TaskGroup() as group:
            work = group.create_task(peers.run())
            while await one.read(lambda tx: tx.nodes.told_before(started_at)):
                pass
            work.cancel()
        assert told(one._store) == 0


@pytest.mark.asyncio
async def test_two_nodes_may_forget_at_the_same_moment(server, tmp_path):
    """What one is deleting the other leaves alone, and neither waits for the other."""
    url, rules = server.make_schema(), written(tmp_path, r=RULES)
    async with node(url, rules) as (one, _, _peers), node(url, rules) as (other, _, more_peers):
        now = await one.write(lambda tx: tx.standing.now)
        tell(one._store, 10, now - timedelta(hours=2))
        loop = asyncio.get_running_loop()

        def forget_slowly(tx):
            gone = tx.nodes.forget_news(now, 100)
            asyncio.run_coroutine_threadsafe(more_peers.tidy(), loop).result(10)
            return gone

        assert await one.write(forget_slowly) == 10
        assert told(other._store) == 0


@pytest.mark.asyncio
async def test_the_databases_clock_is_everybodys(server, tmp_path):
    """A machine that is an hour off decides by the database's time all the same."""
    url, rules = server.make_schema(), written(tmp_path, r=RULES)

    class Wrong(SystemClock):
        def now(self):
            return super().now() + timedelta(hours=1)

    clock = FollowingClock(Wrong())
    store = Store(url)
    store.open()
    engine = Engine(store, load(rules).ruleset, clock, link_key=b"k" * 32)
    peers = Peers(engine, Figures(Ledger()), clock, "0.1.0")
    await peers.join()
    assert abs(clock.now() - SystemClock().now()) < timedelta(seconds=10)
    assert peers.known[0].lease_until - clock.now() <= timedelta(seconds=10)
    await engine.close()
    store.close()


@pytest.mark.asyncio
async def test_alone_with_its_database_a_process_has_no_peers(tmp_path):
    """On SQLite all of it does nothing."""
    store = Store(f"sqlite:///{tmp_path}/x.db", ballast_bytes=0)
    store.open()
    clock = FollowingClock(SystemClock())
    engine = Engine(store, load(written(tmp_path, r=RULES)).ruleset, clock, link_key=b"k" * 32)
    peers = Peers(engine, Figures(Ledger()), clock, "0.1.0")
    await peers.join()
    await peers.run()
    await peers.leave()
    assert (peers.own, peers.known, peers.others_alive(), engine.lease.is_limited) == ("", (), False, False)
    await engine.close()
    store.close()


class Model:
    """A database as the horizon sees it: transactions that take numbers in any order, and commit or do not."""

    def __init__(self):
        self.next = 1
        self.seq = 0
        self.running: dict[int, list[int]] = {}
        self.committed: set[int] = set()

    def horizon(self) -> Horizon:
        """Return the snapshot's transactions; numbers as of now."""
        return Horizon(oldest=min(self.running, default=self.next), next=self.next, seq=self.seq, revision=self.seq)


@given(st.lists(st.tuples(st.sampled_from("btcrl"), st.integers(0, 9)), max_size=60))
def test_below_a_settled_number_nothing_appears_any_more(story):
    """Whatever begins, takes numbers, commits, rolls back or looks: what has settled is complete, for ever."""

    class Deaf:
        def settle_news(self, revision):
            """Nobody listens."""

    peers = Peers.__new__(Peers)
    peers._waiting, peers._complete, peers._engine = None, 0, Deaf()
    peers._clock = FollowingClock(SystemClock())
    model = Model()
    settled: dict[int, set[int]] = {}
    for what, which in story:
        chosen = sorted(model.running)[which % len(model.running)] if model.running else None
        if what == "b":
            model.running[model.next] = []
            model.next += 1
        elif what == "t" and chosen is not None:
            model.seq += 1
            model.running[chosen].append(model.seq)
        elif what == "c" and chosen is not None:
            model.committed |= set(model.running.pop(chosen))
        elif what == "r" and chosen is not None:
            del model.running[chosen]
        elif what == "l":
            peers._settle(model.horizon())
            settled[peers._complete] = {seq for seq in model.committed if seq <= peers._complete}
    for upto, seen in settled.items():
        assert seen == {seq for seq in model.committed if seq <= upto}


def test_signs_of_life_come_more_often_than_leases_end():
    """Three of them fit into a lease, so that one that is late costs nothing."""
    from escalatord.engine.lease import LEASE_SECONDS  # noqa: PLC0415 - the one thing that is compared

    assert HEARTBEAT_SECONDS * 3 < LEASE_SECONDS
