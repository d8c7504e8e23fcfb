"""A look into somebody else's database: it sees, and it touches nothing."""

import pytest

from escalatord.errors import StoreRefusedError
from escalatord.store import pragmas
from escalatord.store.peek import recorded_alerts
from escalatord.store.store import Store
from tests.store.samples import alert


def test_alerts_are_read_beside_the_daemon_that_writes_them(tmp_path):
    """The database stays open and locked by its owner; the newest alert comes first."""
    path = tmp_path / "escalatord.db"
    store = Store(f"sqlite:///{path}", ballast_bytes=4096)
    store.open()
    try:
        store.write(lambda tx: tx.save_alerts([(alert("f1"), None), (alert("f2"), None)]))
        found = recorded_alerts(f"sqlite:///{path}", 10)
        assert {record.alert.fingerprint for record in found} == {"f1", "f2"}
        assert len(recorded_alerts(f"sqlite:///{path}", 1)) == 1
    finally:
        store.close()
    assert len(recorded_alerts(f"sqlite:///{path}", 10)) == 2


def test_a_shared_database_is_looked_into_too(server):
    """The same on PostgreSQL; an empty one says that it is not ours."""
    address = server.make_schema()
    with pytest.raises(StoreRefusedError, match="not of this version"):
        recorded_alerts(address, 10)
    store = Store(address)
    store.open()
    store.write(lambda tx: tx.save_alerts([(alert("f1"), None)]))
    store.close()
    assert [record.alert.fingerprint for record in recorded_alerts(address, 10)] == ["f1"]


def test_a_server_that_is_not_there_is_said_without_its_password():
    """The sentence names the database, never the secret."""
    with pytest.raises(StoreRefusedError, match="cannot be opened now") as caught:
        recorded_alerts("postgresql://ana:hunter2@127.0.0.1:1/x", 10)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "say"),
    [
        ("sqlite:///{folder}/none.db", "cannot be read"),
        ("sqlite:///{folder}/other.db", "cannot be read"),
        ("mysql://localhost/x", "no such database"),
        ("::", "is not one"),
    ],
)
def test_what_cannot_be_looked_into_is_said(tmp_path, url, say):
    """No database is made where there was none, and nothing is migrated."""
    (tmp_path / "other.db").touch()
    with pytest.raises(StoreRefusedError, match=say):
        recorded_alerts(url.format(folder=tmp_path), 10)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other.db"]


def test_a_store_for_simulations_syncs_nothing(tmp_path):
    """`durable=False` is seen in the database's own words, and in nobody else's."""
    for durable, synchronous in ((True, 2), (False, 0)):
        store = Store(f"sqlite:///{tmp_path / f'{durable}.db'}", ballast_bytes=4096, durable=durable)
        store.open()
        assert pragmas.pragma(store._writer, "synchronous") == synchronous
        store.close()
