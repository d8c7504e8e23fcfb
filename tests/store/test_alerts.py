"""Alerts in the store."""

from dataclasses import replace

from escalatord.core.alert import AlertStatus
from tests.store.samples import NOW, alert, minutes, verdict


def test_save_then_load_returns_the_alert(store):
    """What was saved comes back whole."""
    record = alert("f1", held={"slow/error": minutes(-3)}, due_at=minutes(2), incident=4)
    store.write(lambda tx: tx.save_alerts([(record, verdict())]))
    assert {"f1": record} == store.read(lambda tx: tx.alerts("am", ["f1", "f2", "f1"]))


def test_alerts_of_two_sources_are_two_alerts(store):
    """The same fingerprint from another source is another alert."""
    store.write(lambda tx: tx.save_alerts([(alert("f1"), None), (alert("f1", source="grafana"), None)]))
    assert store.read(lambda tx: tx.alerts("grafana", ["f1"]))["f1"].alert.source == "grafana"


def test_save_again_replaces(store):
    """There is one row for an alert, and it tells the latest."""
    store.write(lambda tx: tx.save_alerts([(alert("f1"), verdict("first"))]))
    later = alert("f1", status=AlertStatus.RESOLVED, last_seen_at=minutes(1))
    store.write(lambda tx: tx.save_alerts([(later, verdict("second"))]))
    assert {"f1": later} == store.read(lambda tx: tx.alerts("am", ["f1"]))
    assert store.read(lambda tx: tx.verdict_of("am", "f1"))["reasons"][0]["say"] == "second"


def test_save_without_a_verdict_keeps_the_last_one(store):
    """Why somebody was paged can still be explained after the alert resolved."""
    store.write(lambda tx: tx.save_alerts([(alert("f1"), verdict())]))
    store.write(lambda tx: tx.save_alerts([(alert("f1", status=AlertStatus.RESOLVED), None)]))
    told = store.read(lambda tx: tx.verdict_of("am", "f1"))
    assert (told["severity"], told["reasons"][0]["predicates"]) == ("error", [["rate > 5%", "7%", True]])


def test_verdict_of_an_unknown_alert_is_none(store):
    """No alert, no verdict; an alert without a verdict, none either."""
    store.write(lambda tx: tx.save_alerts([(alert("f1"), None)]))
    assert store.read(lambda tx: (tx.verdict_of("am", "f1"), tx.verdict_of("am", "f9"))) == (None, None)


def test_touch_moves_last_seen_forward_only(store):
    """A repeat changes one instant, and an older one changes nothing."""
    store.write(lambda tx: tx.save_alerts([(alert("f1"), verdict()), (alert("f2"), None)]))
    store.write(lambda tx: tx.touch_alerts("am", ["f1", "f9"], minutes(5)))
    store.write(lambda tx: tx.touch_alerts("am", ["f1"], minutes(4)))
    found = store.read(lambda tx: tx.alerts("am", ["f1", "f2"]))
    assert {"f1": alert("f1", last_seen_at=minutes(5)), "f2": alert("f2")} == found


def test_alerts_of_an_incident_show_what_fires_first(store):
    """Firing alerts come before resolved ones, new before old."""
    records = [
        alert("old", incident=7),
        alert("new", incident=7, opened_at=minutes(1)),
        alert("over", incident=7, opened_at=minutes(2), status=AlertStatus.RESOLVED),
        alert("other", incident=8),
        alert("nobody"),
    ]
    store.write(lambda tx: tx.save_alerts([(record, None) for record in records]))
    assert [found.alert.fingerprint for found in store.read(lambda tx: tx.alerts_of(7))] == ["new", "old", "over"]
    assert len(store.read(lambda tx: tx.alerts_of(7, limit=2))) == 2
    assert store.read(lambda tx: tx.alerts_of(0)) == []


def test_due_alerts_are_the_longest_overdue_first(store):
    """Rules look again at the instant they named, and at no other alert."""
    records = [alert("a", due_at=NOW), alert("b", due_at=minutes(-1)), alert("c", due_at=minutes(1)), alert("d")]
    store.write(lambda tx: tx.save_alerts([(record, None) for record in records]))
    assert [found.alert.fingerprint for found in store.read(lambda tx: tx.due_alerts(NOW, 10))] == ["b", "a"]
    assert [found.alert.fingerprint for found in store.read(lambda tx: tx.due_alerts(NOW, 1))] == ["b"]


def test_recent_alerts_are_newest_first(store):
    """What reached us last is shown first."""
    records = [replace(alert(f"f{minute}"), opened_at=minutes(minute)) for minute in (1, 3, 2)]
    store.write(lambda tx: tx.save_alerts([(record, None) for record in records]))
    assert [found.alert.fingerprint for found in store.read(lambda tx: tx.recent_alerts(2))] == ["f3", "f2"]


def test_alerts_that_fire_or_did_lately_are_read_at_a_start(store):
    """Firing ones however old, others only when they were heard of since; the newest episodes first."""
    over = replace(alert("x").alert, status=AlertStatus.RESOLVED)
    records = [
        replace(alert("old"), opened_at=minutes(-90), last_seen_at=minutes(-90)),
        replace(alert("gone"), alert=replace(over, fingerprint="gone"), last_seen_at=minutes(-61)),
        replace(alert("lately"), alert=replace(over, fingerprint="lately"), last_seen_at=minutes(-60)),
    ]
    store.write(lambda tx: tx.save_alerts([(record, None) for record in records]))
    found = store.read(lambda tx: tx.alerts_since(minutes(-60), 10))
    assert [record.alert.fingerprint for record in found] == ["lately", "old"]
    assert len(store.read(lambda tx: tx.alerts_since(minutes(-60), 1))) == 1
    source = records[0].alert.source
    assert len(store.read(lambda tx: tx.alerts_of_source(source, 2))) == 2
    assert store.read(lambda tx: tx.alerts_of_source("elsewhere", 2)) == []


def test_nothing_saved_or_touched_is_fine(store):
    """Empty lists write nothing."""
    store.write(lambda tx: (tx.save_alerts([]), tx.touch_alerts("am", [], NOW)))
    assert store.read(lambda tx: (tx.alerts("am", []), tx.recent_alerts(5))) == ({}, [])
