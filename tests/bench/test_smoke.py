"""The benchmark itself: that it measures what it says, in seconds instead of minutes, with no opinion on speed."""

import asyncio
import json
from functools import partial

import pytest

from escalatord.config.load import load
from escalatord.engine.batch import Batch
from escalatord.engine.commands import Ingest
from escalatord.ingest import parse
from escalatord.store.store import Store
from tests.bench import evaluation, figures
from tests.bench.crowd import multiply
from tests.bench.rules import rules
from tests.bench.tools import wire
from tests.bench.tools.histogram import Histogram
from tests.bench.tools.load import Load, closed
from tests.bench.tools.payloads import POSTED, Template
from tests.bench.tools.sink import Sink
from tests.store.samples import NOW


def test_bodies_are_filled_with_numbers_and_instants():
    """Every alert of a body has its own number as fingerprint and its own instant in its summary."""
    body = json.loads(Template(3, team="sre").fill([7, 8, 255], 10**18))
    assert ["7".zfill(16), "8".zfill(16), "ff".zfill(16)] == [alert["fingerprint"] for alert in body["alerts"]]
    assert [
        f"sent_ns={10**18 + place}" in alert["annotations"]["summary"] for place, alert in enumerate(body["alerts"])
    ]
    assert {"sre"} == {alert["labels"]["team"] for alert in body["alerts"]}


def test_bodies_for_alertmanager_hold_what_its_api_takes():
    """A posted body is a list of alerts with numbers of their own in their labels, and no fingerprints."""
    body = json.loads(Template(2, posted=True).fill([7, 255], 10**18))
    assert [alert["labels"]["pod"].rpartition("-")[2] for alert in body] == ["7".zfill(16), "ff".zfill(16)]
    assert [set(alert) for alert in body] == [set(POSTED)] * 2


def test_a_crowd_is_copied_whole(tmp_path):
    """Each copy is an open incident of its own with its alert, readable by the store, and numbers go on after it."""
    (tmp_path / "all.yaml").write_text(rules(9))
    store = Store(f"sqlite:///{tmp_path}/escalatord.db", ballast_bytes=0)
    store.open()
    batch = Batch(store, load(tmp_path).ruleset, b"k" * 32)
    body = Template(1, **{"class": "asleep"}).fill([7], 10**18)
    alerts = parse(batch.ruleset.sources["alertmanager"], body, "application/json", NOW).alerts
    batch.commit([Ingest(source="alertmanager", alerts=alerts)], NOW)
    store.close()
    multiply(tmp_path / "escalatord.db", 9)
    store.open()
    found = store.read(lambda tx: tx.load(range(1, 20)))
    members = [store.read(partial(lambda number, tx: tx.alerts_of(number), number)) for number in found]
    (number,) = store.write(lambda tx: tx.next_numbers(1))
    store.close()
    assert [incident.number for incident in found.values()] == list(range(1, 11))
    assert len({incident.key for incident in found.values()}) == 10
    assert [[each.incident for each in several] for several in members] == [[number] for number in found]
    assert number == 11


def test_histograms_keep_quantiles_to_a_hundredth():
    """Percentiles come out within the width of a bucket, and merging loses nothing."""
    histogram = Histogram()
    for value in range(1, 1001):
        histogram.add(float(value))
    merged = Histogram.from_json(histogram.as_json())
    merged.merge(histogram)
    assert merged.count == 2000
    assert merged.quantile(0.99) == pytest.approx(990, rel=0.02)
    assert Histogram().quantile(0.5) == 0


def test_figures_stand_beside_their_ceilings():
    """The table and the JSON name value, unit, ceiling and ratio."""
    found = [
        figures.Figure(name="a", value=50.0, unit="1/s", ceiling=200.0),
        figures.Figure(name="b", value=1, unit="s"),
    ]
    told = json.loads(figures.as_json(found))
    assert told["a"] == {"value": 50.0, "unit": "1/s", "ceiling": 200.0, "ratio": 0.25}
    assert told["b"]["ratio"] is None
    assert "| a | 50 | 1/s | 200 | 0.25 |" in figures.as_table(found)


def test_the_rules_of_the_benchmark_are_sound(tmp_path):
    """The daemon takes the rules, and sends pages to the sink that is meant."""
    (tmp_path / "all.yaml").write_text(rules(18_999))
    ruleset = load(tmp_path).ruleset
    assert "18999" in str(ruleset.channels["webhook"].settings["url"])


@pytest.mark.parametrize("count", [1, 50])
def test_one_rule_matches_however_many_there_are(count):
    """What is evaluated pages by the last rule, so the index has to find it."""
    assert len(evaluation.ruleset(count).thresholds) == count
    assert evaluation._microseconds(evaluation.ruleset(count)) > 0


@pytest.mark.asyncio
async def test_a_load_is_taken_by_the_sink_and_timed():
    """Client, server and sink speak with one another; each alert is told once, however often it comes."""
    sink = Sink(0.0)
    server = await asyncio.get_running_loop().create_server(partial(wire.Server, sink.respond), "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        load = Load(port, "/notify", Template(1), 0, 4, 12)
        await closed(load, 5.0)
    assert load.statuses.total() >= 12
    assert load.latency_us.count == load.statuses.total()
    _, stats, _ = sink.respond("/stats", b"")
    # a repeated body is the same to the last octet, so its alerts are one
    assert json.loads(stats)["distinct"] == 1
    assert json.loads(stats)["posts"] == load.statuses.total()
