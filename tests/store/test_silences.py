"""Silences in the store, and the migration that brings their table."""

import json
from dataclasses import replace

from sqlalchemy import create_engine, select, text, update

from escalatord.core.alert import AlertStatus
from escalatord.core.matchers import parse_matchers
from escalatord.core.mutes import MuteKind, Silence
from escalatord.store import migrate
from escalatord.store.codec import verdict_codec
from escalatord.store.tables import alerts, silences
from tests.store.samples import NOW, alert, minutes, verdict

MADE = Silence(
    kind=MuteKind.MAINTENANCE,
    match=parse_matchers('service="checkout", pod=~"a|b \\"c\\""'),
    start=minutes(-5),
    end=minutes(9),
    why="deploy",
    by="ana",
    apply_to_open=True,
)


def test_silences_are_kept_until_they_end(store):
    """As they were made, by their numbers; the end is not part of it."""
    ahead = replace(MADE, kind=MuteKind.SILENCE, start=minutes(5), apply_to_open=False)
    over = replace(MADE, end=NOW)
    assert store.write(lambda tx: [tx.add_silence(each) for each in (over, MADE, ahead)]) == [1, 2, 3]
    assert store.read(lambda tx: tx.silences(NOW)) == [replace(MADE, id=2), replace(ahead, id=3)]
    assert len(store.read(lambda tx: tx.silences(minutes(-1)))) == 3


def test_a_silence_ends_when_it_is_told_to(store):
    """One that has begun ends now, one that has not never begins; both stay for whoever looks back."""
    ahead = replace(MADE, start=minutes(5))
    store.write(lambda tx: [tx.add_silence(each) for each in (MADE, ahead)])
    assert store.write(lambda tx: [tx.end_silence(number, NOW) for number in (1, 2, 3)]) == [
        replace(MADE, id=1), replace(ahead, id=2), None,
    ]  # fmt: skip
    assert store.write(lambda tx: tx.end_silence(1, NOW)) is None
    assert store.read(lambda tx: tx.silences(NOW)) == []
    (begun, never) = store.read(lambda tx: tx.silences(minutes(-1)))
    assert (begun.start, begun.end, never.start, never.end) == (MADE.start, NOW, NOW, NOW)


def test_a_number_is_never_given_twice(store):
    """The journal names silences by it."""
    assert store.write(lambda tx: tx.add_silence(MADE)) == 1
    store.write(lambda tx: tx._connection.execute(silences.delete()))
    assert store.write(lambda tx: tx.add_silence(MADE)) == 2


def test_one_that_a_hand_spoiled_mutes_nothing(store):
    """The others still do, and the daemon starts."""
    store.write(lambda tx: [tx.add_silence(MADE), tx.add_silence(MADE)])
    store.write(lambda tx: tx._connection.execute(text("UPDATE silences SET matchers = 'a=\"' WHERE id = 1")))
    assert [one.id for one in store.read(lambda tx: tx.silences(NOW))] == [2]


def test_a_database_of_the_first_schema_is_upgraded(url, open_store):
    """A night under the old release goes on under this one, and can be silenced."""
    driven = url.replace("postgresql://", "postgresql+psycopg://")
    engine = create_engine(driven)
    with engine.begin() as connection:
        migrate.upgrade(connection, "0001")
        connection.execute(text("INSERT INTO settings (name, value) VALUES ('kept', 'yes')"))
    engine.dispose()
    again = open_store()
    assert again.read(lambda tx: tx.setting("kept")) == "yes"
    assert again.write(lambda tx: tx.add_silence(MADE)) == 1
    assert again.read(lambda tx: migrate.stored_version(tx._connection)) == migrate.SCHEMA_VERSION


def test_alerts_and_verdicts_of_the_last_release_can_be_read(store):
    """Written without what is new: nothing muted them."""
    store.write(lambda tx: tx.save_alerts([(alert("f1"), verdict())]))
    body, told = store.read(lambda tx: tx._connection.execute(select(alerts.c.body, alerts.c.verdict)).one())
    known = {"body": json.loads(body), "verdict": json.loads(told)}
    for column, key in (("body", "suppressed"), ("verdict", "suppressed"), ("verdict", "touched_by")):
        known[column].pop(key, None)
    written = {column: json.dumps(value, separators=(",", ":")) for column, value in known.items()}
    store.write(lambda tx: tx._connection.execute(update(alerts).values(written)))
    assert store.read(lambda tx: tx.alerts("am", ["f1"]))["f1"].suppressed is None
    told = store.read(lambda tx: tx.verdict_of("am", "f1"))
    assert "suppressed" not in told
    assert verdict_codec.decode(json.dumps(told)).suppressed is None


def test_alerts_that_fire_are_read_newest_first(store):
    """At most so many; what has ended is none of them."""
    told = [alert("f1", opened_at=minutes(-3)), alert("f2", opened_at=minutes(-1))]
    told.append(alert("f3", status=AlertStatus.RESOLVED))
    store.write(lambda tx: tx.save_alerts([(each, None) for each in told]))
    assert [each.alert.fingerprint for each in store.read(lambda tx: tx.firing_alerts(9))] == ["f2", "f1"]
    assert [each.alert.fingerprint for each in store.read(lambda tx: tx.firing_alerts(1))] == ["f2"]
