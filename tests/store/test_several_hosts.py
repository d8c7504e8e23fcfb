"""A database of several hosts: the address that PostgreSQL's own tools take is taken here."""

from types import SimpleNamespace

import pytest
from structlog.testing import capture_logs

from escalatord.errors import StoreRefusedError
from escalatord.store import postgres
from escalatord.store.postgres import Postgres
from escalatord.store.store import _parsed


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://esc@one:5432,two:5433/db?target_session_attrs=read-write",
        "postgresql://esc@one:5432,two:5433/db",
        "postgresql://esc@/db?host=one:5432&host=two:5433&target_session_attrs=read-write",
    ],
    ids=["as libpq writes it", "without saying which", "as SQLAlchemy writes it"],
)
def test_every_host_is_kept_and_the_one_that_may_be_written_is_meant(url: str):
    """Both hosts with their ports reach the driver, which then finds the primary."""
    parsed = Postgres(_parsed(url), durable=True)._url
    _, given = parsed.get_dialect()().create_connect_args(parsed)
    assert (given["host"], given["port"], given["user"]) == ("one,two", "5432,5433", "esc")
    assert given["target_session_attrs"] == "primary", "a session that only reads must get there too"


def test_a_port_that_is_none_is_told_in_a_sentence():
    """No traceback for a slip of the fingers."""
    with pytest.raises(StoreRefusedError, match="the storage address is not one"):
        _parsed("postgresql://esc@one:port/db")


@pytest.mark.parametrize(("replicas", "names", "told"), [(1, "", 1), (1, "*", 0), (0, "", 0)])
def test_replicas_that_are_not_synchronous_are_told_of(monkeypatch, replicas: int, names: str, told: int):
    """Whoever has a replica and waits for none learns at the start what a promotion may cost."""
    answers = {
        "SHOW server_version_num": "150000",
        "SHOW server_encoding": "UTF8",
        "SHOW fsync": "on",
        "SHOW full_page_writes": "on",
        "SHOW synchronous_standby_names": names,
        "SELECT count(*) FROM pg_stat_replication": replicas,
        "BEGIN": None,
    }
    monkeypatch.setattr(postgres, "run", lambda _connection, text: (answers[text],))
    database = Postgres(_parsed("postgresql://esc@one/db"), durable=True)
    with capture_logs() as said:
        database._check(SimpleNamespace(begin=lambda: None, rollback=lambda: None))
    assert [line["replicas"] for line in said] == [replicas] * told
