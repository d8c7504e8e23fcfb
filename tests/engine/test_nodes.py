"""Two nodes on one PostgreSQL: every decision is taken once, and each knows what the other one did."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import text

from escalatord.core.alert import AlertStatus
from escalatord.core.events import Ack, Resolve
from escalatord.core.incident import Attempt, State, Via
from escalatord.core.matchers import parse_matchers
from escalatord.core.mutes import Silence
from escalatord.core.noise import Group
from escalatord.core.values import replace
from escalatord.engine import arrivals, intake
from escalatord.engine.commands import Answer, Ingest, Receipt, Remark, Unreachable
from escalatord.engine.handlers import Due
from escalatord.engine.wishes import AddAway, AddOverride, AddSilence, CancelAway, CancelOverride, ExpireSilence
from escalatord.errors import StoreUnavailableError
from escalatord.store.incidents import ConflictError
from escalatord.store.nodes import NEWS_KEPT_SECONDS
from escalatord.store.store import Store
from tests.fakes.nodes import Node
from tests.fakes.rule_sets import written
from tests.store.samples import incident

LANE = "sms/sim"
RULES = """
unmatched: {severity: warning, policy: main}
policies:
  main:
    tracks:
      technical:
        tiers:
          - {page: [person ana], within: 5m, plan: text}
          - {page: [person bo], within: 5m, plan: text}
    last_resort: {page: [person bo], plan: text, every: 24h}
  network:
    tracks: {technical: {tiers: [{page: [person bo], within: 9h, plan: text}]}}
    last_resort: {page: [person bo], plan: text}
contact_plans:
  text: [{by: sms}]
limits: {per_person: {sms: [], call: [], mail: []}}  # each page by itself: what is counted here are claims
channels:
  sms: {provider: sim}
people:
  ana: {name: Ana Ruiz, sms: "+34600000001"}
  bo: {name: Bo Lindgren, sms: "+34600000002"}
schedules:
  first:
    timezone: Europe/Madrid
    layers: [{name: all, rotate: weekly, handoff: Mon 09:00, starts: "2026-01-05", people: [ana]}]
sources:
  am: {adapter: alertmanager, auth: loopback}
thresholds:
  - {name: network-down, match: alertname="NetworkDown", severity: {critical: {}}, policy: network}
  - name: unreachable
    match: alertname="HostDown"
    severity: {error: {}}
    policy: main
    group_by: [fingerprint]
    unless: [{open: network-down, same: [region], why: symptom of the network}]
  - name: many
    match: alertname="Slow"
    severity: {error: {when: firing_alerts >= 3}, critical: {when: rule_occurrences in 1h >= 50}}
    policy: main
    group_by: [alertname]
  - {name: plain, match: 'alertname=~"Plain.*"', severity: {critical: {}}, policy: main, group_by: [fingerprint]}
"""


@pytest.fixture
def pair(server, tmp_path):
    """Two nodes of one company."""
    rules, url = written(tmp_path, r=RULES), server.make_schema()
    nodes = [Node(url, rules, name) for name in ("a", "b")]
    yield nodes
    for node in nodes:
        node.close()


def at_once(*work) -> list[object]:
    """Do things at the same time and return what they come to."""
    with ThreadPoolExecutor(len(work)) as pool:
        return [each.result() for each in [pool.submit(one) for one in work]]


def behind(node: Node) -> bool:
    """Return whether it is time for a node to listen to the others."""
    now = node.store.write(lambda tx: tx.standing.now)
    return node.store.read(lambda tx: node.batch.hearing.is_behind(tx, now))


def states(node: Node) -> dict[str, State]:
    """Return the state of each incident by its title."""
    return {each.title: each.state for each in node.store.read(lambda tx: tx.list_incidents())}


def entries(node: Node, kind: str) -> list[int]:
    """Return the incidents of all journal entries of a kind, in order."""
    rows = node.store.read(lambda tx: tx.journal_after(0, 100_000))
    return [row.entry.incident for row in rows if row.entry.kind == kind]


def test_no_attempt_is_claimed_twice(pair):
    """Two nodes claim sixty pages at once, a few at a time: each page is claimed once, none is left."""
    one, other = pair
    one.fire(*(f"Plain{number}" for number in range(60)))

    def claim_all(node: Node) -> list[str]:
        found = []
        while len(claimed := node.claim(LANE, 4)) or node.store.read(lambda tx: tx.outbox_lanes()):
            found += [item.row.reference for item in claimed]
        return found

    first, second = at_once(lambda: claim_all(one), lambda: claim_all(other))
    assert sorted({*first, *second}) == sorted([*first, *second])
    assert len(first) + len(second) == 60


def test_codes_of_one_person_are_never_given_twice(pair):
    """Both nodes page Ana for different incidents at once: each incident has its own code."""
    one, other = pair
    one.fire(*(f"Plain{number}" for number in range(40)))
    pages = at_once(lambda: one.claim(LANE, 20), lambda: other.claim(LANE, 20))
    codes = [item.code for claimed in pages for item in claimed]
    assert len(codes) == len(set(codes)) == 40


def test_every_deadline_passes_once(pair):
    """Forty incidents come due, both nodes look at once: each enters its second tier once."""
    one = pair[0]
    one.fire(*(f"Plain{number}" for number in range(40)))
    for node in pair:
        node.ahead = timedelta(minutes=6)
    at_once(*(lambda node=node: [node.do(Due(limit=7)) for _ in range(6)] for node in pair))
    climbed = [number for number in entries(one, "tier_entered") if number]
    assert sorted(climbed) == sorted([*range(1, 41), *range(1, 41)]), "the first tier and the second, once each"


def test_the_same_alert_at_two_nodes_is_one_incident(pair):
    """A pair of Alertmanagers tells each node the same alerts at the same moment."""
    for number in range(10):
        names = [f"Plain{number}-{part}" for part in range(5)]
        results = at_once(*(lambda node=node, names=names: node.fire(*names) for node in pair))
        told = [{a.fingerprint: a.incident for a in written.results[0].accepted} for written in results]
        assert told[0] == told[1]
    assert len(states(pair[0])) == 50
    assert sorted(entries(pair[0], "opened")) == sorted(set(entries(pair[0], "opened")))


def test_numbers_are_never_given_twice(pair):
    """Both open incidents at once."""
    batches = at_once(
        *(lambda node=node, k=k: [node.fire(f"Plain{k}-{n}") for n in range(20)] for k, node in enumerate(pair))
    )
    numbers = [accepted.incident for found in batches for w in found for accepted in w.results[0].accepted]
    assert len(numbers) == len(set(numbers)) == 40


def test_an_ack_at_one_node_withdraws_what_the_other_would_send(pair):
    """Ana acks at one node: the page that waits is not claimed by the other, and Bo is never reached."""
    one, other = pair
    one.fire("Plain")
    (page,) = other.claim(LANE, 1)
    other.do(Receipt(reference=page.row.reference, status=Attempt.FAILED_TEMPORARY, reason="timeout", claims=1))
    one.do(Answer(incident=page.incident.number, event=Ack(person="ana", via=Via.SMS)))
    other.ahead = timedelta(minutes=30)
    assert [item.row.kind for item in other.claim(LANE, 9) if item.row.kind == "page"] == []
    other.do(Due(limit=9))
    assert states(other) == {"Plain": State.ACKNOWLEDGED}


def test_two_answers_at_once_are_both_told_the_truth(pair):
    """Ana and Bo ack at two nodes in the same moment: one is first, the other hears who has it."""
    for number in range(10):
        pair[0].fire(f"Plain{number}")
        incident_number = max(each.number for each in pair[0].store.read(lambda tx: tx.list_incidents()))
        answers = at_once(
            *(
                lambda node=node, who=who, n=incident_number: node.do(
                    Answer(incident=n, event=Ack(person=who, via=Via.LINK))
                )
                for node, who in zip(pair, ("ana", "bo"), strict=True)
            )
        )
        reasons = sorted(str(written.results[0].reason) for written in answers)
        assert len(set(reasons)) == 2, reasons
    assert len(entries(pair[0], "acknowledged")) == 10


def test_a_dead_nodes_attempt_is_taken_over_when_its_lease_is_over(pair):
    """Not a moment before; and what the dead one says of it afterwards changes nothing."""
    one, other = pair
    one.fire("Plain")
    (page,) = one.claim(LANE, 9)
    other.ahead = timedelta(seconds=9)
    assert other.claim(LANE, 9) == ()
    other.ahead = timedelta(seconds=11)
    (again,) = other.claim(LANE, 9)
    assert (again.row.reference, again.row.claims) == (page.row.reference, 2)
    late = Receipt(reference=page.row.reference, status=Attempt.FAILED_TEMPORARY, reason="timeout", claims=1)
    assert one.do(late).results[0].reason == "delivery_stale"
    assert one.store.read(lambda tx: tx.outbox_get(page.row.reference)).state is Attempt.SENDING
    done = Receipt(reference=page.row.reference, status=Attempt.ACCEPTED, claims=1)
    assert one.do(done).results[0].reason == "delivery_advanced", "that the provider has it is true whoever says so"


def test_a_lease_is_prolonged_only_while_it_lasts(pair):
    """A sign of life carries on what is being sent; what was another's by then, or over, it leaves alone."""
    one = pair[0]
    one.fire("Plain")
    (page,) = one.claim(LANE, 9)
    node = one.store.read(lambda tx: tx.nodes.all())[0]

    def beat(seconds, claims):
        at = node.started_at + timedelta(seconds=seconds)
        later = {"heartbeat_at": at, "lease_until": at + timedelta(seconds=10), "lateness_seconds": 0.25}
        beaten = type(node)(**{name: getattr(node, name) for name in node.__slots__} | later)
        one.store.write(lambda tx: tx.nodes.beat(beaten, {page.row.reference: claims}))
        return one.store.read(lambda tx: tx.outbox_get(page.row.reference)).lease_until - node.started_at

    assert beat(8, 1) == timedelta(seconds=18)
    assert beat(12, 2) == timedelta(seconds=18), "claimed by somebody else meanwhile"
    assert beat(30, 1) == timedelta(seconds=18), "it was over"
    assert [row.lateness_seconds for row in one.store.read(lambda tx: tx.nodes.all())] == [0.25, 0.0]


def test_the_last_one_to_come_back_waits_for_nobody(pair):
    """When nobody else is alive, what was being sent may be claimed at once."""
    one, other = pair
    one.fire("Plain")
    assert len(one.claim(LANE, 9)) == 1
    other.join(over=["a", "b"])
    other.ahead = timedelta(seconds=0.1)
    assert [item.row.claims for item in other.claim(LANE, 9)] == [2]


def test_who_joins_leaves_the_others_what_they_send(pair):
    """A third node comes while one is sending: what that sends stays its own until its lease is over."""
    one, other = pair
    one.fire("Plain")
    assert len(one.claim(LANE, 9)) == 1
    other.join(over=["b"])
    other.ahead = timedelta(seconds=5)
    assert other.claim(LANE, 9) == ()


def test_what_a_sender_still_holds_is_not_handed_to_it_again(pair):
    """The database was away for longer than the lease, and the report of an attempt waits to be taken."""
    one = pair[0]
    one.fire("Plain")
    (page,) = one.claim(LANE, 9)
    one.ahead = timedelta(seconds=60)
    assert one.claim(LANE, 9, held={page.row.reference}) == ()
    assert len(one.claim(LANE, 9)) == 1


# ------------------------------------------------------------------------------------------ what is kept in memory


def test_a_symptom_stays_quiet_while_its_cause_is_open_at_another_node(pair):
    """The network alert reaches one node, the host alert the other: nobody is paged for the host."""
    one, other = pair
    one.fire("NetworkDown", region="eu")
    other.fire("HostDown", region="eu")
    assert states(one) == {"NetworkDown": State.OPEN}


@pytest.mark.parametrize("how", ["resolved by its sender", "resolved by hand", "resolved by hand, alerts untouched"])
def test_a_symptom_is_looked_at_again_when_its_cause_closes_at_another_node(pair, how, monkeypatch):
    """The cause is over where the symptom was never seen: both nodes know, and one of them pages for it."""
    one, other = pair
    if "untouched" in how:
        monkeypatch.setattr(intake, "ALERTS_LOOKED_AFTER_MAX", 0)
    one.fire("NetworkDown", region="eu")
    other.fire("HostDown", region="eu")
    (number,) = [each.number for each in one.store.read(lambda tx: tx.list_incidents())]
    if "hand" in how:
        one.do(Answer(incident=number, event=Resolve(person="bo", via=Via.WEB)))
    else:
        one.fire("NetworkDown", region="eu", status=AlertStatus.RESOLVED)
    other.do(Due(limit=0))
    other.do(Due(limit=9))
    assert states(other)["HostDown"] is State.OPEN


def test_a_symptom_at_a_node_that_died_is_looked_at_by_the_other(pair):
    """The node that kept it quiet dies with its memory; the cause closes at the one that is left."""
    one, other = pair
    one.fire("NetworkDown", region="eu")
    other.fire("HostDown", region="eu")
    other.close()
    one.do(Due(limit=0))
    one.fire("NetworkDown", region="eu", status=AlertStatus.RESOLVED)
    one.do(Due(limit=9))
    assert states(one)["HostDown"] is State.OPEN


def test_alerts_at_different_nodes_are_counted_together(pair):
    """Two slow hosts at one node and one at the other are three: everybody is paged for."""
    one, other = pair
    one.fire("Slow", host="a")
    other.fire("Slow", host="b")
    assert states(one) == {}
    one.fire("Slow", host="c")
    other.do(Due(limit=9))
    (opened,) = one.store.read(lambda tx: tx.list_incidents())
    found = one.store.read(lambda tx: tx.alerts_of(opened.number))
    assert len(found) == 3


def test_alerts_that_came_in_the_same_moment_are_counted_together(pair):
    """Each node saw only its own when it decided; what the other one told is taken in with the next look."""
    one, other = pair
    one.fire("Slow", host="a")
    at_once(lambda: one.fire("Slow", host="b"), lambda: other.fire("Slow", host="c"))
    for node in pair * 2:
        node.do(Due(limit=9))
    (opened,) = one.store.read(lambda tx: tx.list_incidents())
    assert len(one.store.read(lambda tx: tx.alerts_of(opened.number))) == 3


def test_what_is_known_of_others_is_what_a_survey_finds(pair):
    """After any story both nodes' memory equals that of a node that has just read everything."""
    one, other = pair
    for number in range(6):
        (one, other)[number % 2].fire("Slow", host=f"h{number}")
        (other, one)[number % 2].fire("HostDown", region=f"r{number % 2}", host=f"h{number}")
    one.fire("NetworkDown", region="r0")
    other.fire("Slow", host="h1", status=AlertStatus.RESOLVED)
    one.fire("NetworkDown", region="r0", status=AlertStatus.RESOLVED)
    for node in pair:
        node.do(Due(limit=0))
    rule = next(rule for rule in one.batch.ruleset.thresholds if rule.name == "many")
    records = one.store.read(lambda tx: tx.alerts_of_source("am", 100))
    record = next(record for record in records if record.alert.title == "Slow")
    before = [node.batch.around.tally(rule, record) for node in pair]
    one.batch.hearing.in_doubt = True
    one.do(Due(limit=0))
    after = one.batch.around.tally(rule, record)
    assert [(tally.firing, len(tally.begun)) for tally in before] == [(after.firing, len(after.begun))] * 2
    assert after.firing == 5


def test_nothing_is_taken_in_twice(pair):
    """A node that has heard everything has nothing to hear, whether or not the numbers have settled."""
    one, other = pair
    one.fire("Slow", host="a")
    assert behind(other)
    other.do(Due(limit=0))
    assert not behind(other)
    other.batch.hearing.settled = 1
    other.do(Due(limit=0))
    assert not behind(other)
    assert not behind(one), "nobody hears himself"


def test_a_node_that_was_stopped_for_longer_than_news_are_kept_reads_everything_again(pair):
    """What the other told meanwhile is forgotten by then: it is counted all the same, and not before its time."""
    one, other = pair
    one.fire("Slow", host="a")
    other.do(Due(limit=0))
    one.fire("Slow", host="b")
    one.ahead = other.ahead = timedelta(seconds=NEWS_KEPT_SECONDS + 1)
    assert one.store.write(lambda tx: tx.nodes.forget_news(tx.standing.now, 99)) == 2
    assert behind(other)
    other.fire("Slow", host="c")
    rule = next(rule for rule in one.batch.ruleset.thresholds if rule.name == "many")
    (record, *_) = one.store.read(lambda tx: tx.alerts_of_source("am", 100))
    assert other.batch.around.tally(rule, record).firing == 3
    assert not behind(other)


def test_a_node_without_work_listens_now_and_then(pair, monkeypatch):
    """Nothing was told for half an hour: it listens once, so that it need not read everything again after an hour."""
    node = pair[0]
    surveys = []
    survey = node.batch.hearing.survey
    monkeypatch.setattr(node.batch.hearing, "survey", lambda *told: (surveys.append(told), survey(*told)))
    for minutes in (31, 62, 93):
        node.ahead = timedelta(minutes=minutes)
        assert behind(node)
        node.do(Due(limit=0))
        assert not behind(node)
    assert surveys == []


def test_a_commit_whose_answer_was_lost_is_found_again(pair, monkeypatch):
    """The connection dies with the answer to a COMMIT that was carried out: what it committed is counted."""
    one = pair[0]
    commit = Store._commit

    def lose_the_answer(store, connection):
        commit(store, connection)
        raise StoreUnavailableError("the connection was lost")

    monkeypatch.setattr(Store, "_commit", lose_the_answer)
    with pytest.raises(StoreUnavailableError):
        one.fire("Slow", host="a")
    monkeypatch.undo()
    one.fire("Slow", host="b")
    rule = next(rule for rule in one.batch.ruleset.thresholds if rule.name == "many")
    (record, *_) = one.store.read(lambda tx: tx.alerts_of_source("am", 100))
    assert one.batch.around.tally(rule, record).firing == 2


def test_who_stands_in_is_known_at_every_node(pair):
    """An override made at one node counts in the next decision of the other, and so does a dead number."""
    one, other = pair
    now = one.store.write(lambda tx: tx.standing.now)
    until = now + timedelta(hours=2)
    one.do(AddOverride(schedule="first", person="bo", start=now, end=until, why="w", by="ana", via=Via.WEB))
    other.do(Due(limit=0))
    (override,) = other.batch.world.overrides
    assert override.person == "bo"
    one.do(CancelOverride(id=override.id, by="ana", via=Via.WEB))
    other.do(Due(limit=0))
    assert other.batch.world.overrides == ()
    one.do(Unreachable(person="ana", address_key="sms", why="STOP"))
    other.do(Due(limit=0))
    assert other.batch.world.unreachable == {("ana", "sms")}
    one.do(Unreachable(person="ana", address_key="sms", why="now", reachable=True))
    other.do(Due(limit=0))
    assert other.batch.world.unreachable == frozenset()


def test_a_silence_holds_at_every_node(pair, monkeypatch):
    """What is muted at one node pages at none, also when the transaction in which the other heard of it failed."""
    one, other = pair
    now = one.store.write(lambda tx: tx.standing.now)
    match = parse_matchers('alertname="Plain1"')
    wish = Silence(match=match, start=now, end=now + timedelta(hours=2), why="work", by="ana")
    (made,) = one.do(AddSilence(silence=wish, via=Via.WEB)).results

    def fail(*_more):
        raise StoreUnavailableError("the wire is cut")

    monkeypatch.setattr(other.store, "_commit", fail)
    with pytest.raises(StoreUnavailableError):
        other.do(Due(limit=0))
    monkeypatch.undo()
    (taken,) = other.fire("Plain1", "Plain2").results
    assert [each.incident > 0 for each in taken.accepted] == [False, True]
    other.do(ExpireSilence(id=made.silence.id, by="bo", via=Via.WEB))
    (again,) = one.fire("Plain1", host="b").results
    assert [each.incident > 0 for each in again.accepted] == [True]


def test_who_is_away_is_away_at_every_node(pair):
    """An absence noted at one node is known to the next decision of the other, and so is its end."""
    one, other = pair
    now = one.store.write(lambda tx: tx.standing.now)
    until = now + timedelta(hours=2)
    one.do(AddAway(person="ana", start=now, end=until, why="dentist", by="ana", via=Via.WEB))
    other.do(Due(limit=0))
    assert [(each.person, each.why) for each in other.batch.world.away] == [("ana", "dentist")]
    one.do(CancelAway(person="ana", by="ana", via=Via.WEB))
    other.do(Due(limit=0))
    assert other.batch.world.away == ()


def test_a_storm_is_counted_over_all_nodes(pair):
    """New incidents of both nodes make one storm; each is counted once, however often its alert is told of."""
    one, other = pair
    now = one.store.write(lambda tx: tx.standing.now)
    groups = (Group(name="storm", by=("cluster",), window_seconds=60.0, over=6),)
    for node in pair:
        node.batch.swap(replace(node.batch.ruleset, groups=groups), now)
        node.batch.survey(now)
    for number in range(3):
        one.fire(f"Plain{number}", cluster="eu")
        other.fire(f"Plain{number}", cluster="eu")  # a repeat: a redundant sender
        other.fire(f"PlainB{number}", cluster="eu")
    assert len(states(one)) == 6
    for number in range(5):
        (one, other)[number % 2].fire(f"PlainC{number}", cluster="eu")
    found = one.store.read(lambda tx: tx.list_incidents())
    assert [(each.alerts, each.bundle is not None) for each in found] == [(5, True), *[(1, False)] * 6]


# ----------------------------------------------------------------------------------------------- conflicts and death


def test_a_batch_that_lost_is_decided_again_and_cannot_lose_for_ever(pair):
    """Four writers change one row all the time; everybody comes to an end, and nothing is lost."""
    url = f"{pair[0].store.database._url.render_as_string(hide_password=False)}".replace("+psycopg", "")
    stores = [Store(url) for _ in range(4)]
    for store in stores:
        store.open()
    at = pair[0].store.write(lambda tx: tx.standing.now)

    def count_up(store: Store) -> None:
        for _ in range(25):
            store.settle(lambda tx: arrivals.count(tx, "am", at, 1))

    at_once(*(lambda store=store: count_up(store) for store in stores))
    assert stores[0].write(lambda tx: arrivals.count(tx, "am", at, 0)).now.count == 100
    for store in stores:
        store.close()


def test_who_is_alone_cannot_lose(pair):
    """A transaction that has the database for itself waits for the others, and then nobody changes what it read."""
    one, other = pair
    one.store.write(lambda tx: tx.save([incident(1)]))
    known = one.store.read(lambda tx: tx.load([1]))[1]

    def stale(tx):
        tx.load([1])
        other.store.write(lambda tx: tx.save([known]))
        tx.save([known])

    with pytest.raises(ConflictError):
        one.store.write(stale)
    with ThreadPoolExecutor(1) as pool:

        def alone(tx):
            tx.set_setting("who", "one")
            waiting = pool.submit(other.store.settle, lambda tx: tx.set_setting("who", "other"))
            tx.set_setting("who", "still one")
            return waiting

        one.store.write(alone, alone=True).result()
    assert one.store.read(lambda tx: tx.setting("who")) == "other"


def test_a_connection_that_dies_in_a_transaction_costs_that_transaction(pair):
    """The server ends the session in the middle: nothing of it is kept, and the next batch works without a restart."""
    one, other = pair

    def work(tx):
        tx.save([incident(7)])
        pid = tx.connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        other.store.write(
            lambda tx: tx.connection.execute(text("SELECT pg_terminate_backend(CAST(:p AS integer))"), {"p": pid})
        )
        tx.set_setting("a", "b")

    with pytest.raises(StoreUnavailableError, match="the store is unavailable"):
        one.store.write(work)
    assert one.store.read(lambda tx: tx.load([7])) == {}
    one.fire("Plain")
    assert states(one) == {"Plain": State.OPEN}


def test_a_session_that_ended_while_nobody_used_it_is_not_even_noticed(pair):
    """A restart of the server between two batches costs nobody an answer."""
    one, other = pair
    ended = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE pid <> pg_backend_pid() AND usename = 'escalatord'"
    )
    other.store.write(lambda tx: tx.connection.execute(text(ended)).all())
    one.fire("Plain")
    assert states(one) == {"Plain": State.OPEN}


def test_a_command_that_breaks_the_transaction_is_found_and_the_others_are_committed(pair, monkeypatch):
    """On PostgreSQL one failed statement ends the transaction: the batch is split, only the culprit fails."""
    one = pair[0]
    bad = Remark(kind="x" * 65, body={})
    good = Remark(kind="config_loaded", body={"n": 1})
    results = one.do(good, bad, good).results
    assert [type(result).__name__ for result in results] == ["NoneType", "CommandFailedError", "NoneType"]
    assert one.do(Ingest(source="am", alerts=())).results[0].changed is False


def test_what_concerns_a_node_itself_is_journaled_in_its_own_chain(pair):
    """Two nodes remark at once, again and again: nobody waits for the other, and every chain is whole."""
    remark = Remark(kind="config_loaded", body={})
    at_once(*(lambda node=node: [node.do(remark) for _ in range(20)] for node in pair))
    chains = [node.store.chain for node in pair]
    assert chains == [-1, -2]
    reader = pair[0].store
    assert [len(reader.read(lambda tx, c=c: tx.journal_of(c))) for c in chains] == [20, 20]
    assert all(reader.read(lambda tx, c=c: tx.verify(c)) for c in chains)
