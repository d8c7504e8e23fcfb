"""What only PostgreSQL knows: settings that were taken, indexes that are used, and what its errors mean."""

import traceback

import psycopg
import pytest
from sqlalchemy import insert, make_url, text
from sqlalchemy.exc import IntegrityError

from escalatord.errors import StoreRefusedError, StoreUnavailableError
from escalatord.store import postgres
from escalatord.store.incidents import ConflictError
from escalatord.store.sql import ROWS_UP_TO, execute_many, insert_many, insert_or_replace
from escalatord.store.store import Store
from escalatord.store.tables import journal_heads, settings
from tests.store.samples import NOW, alert
from tests.store.test_pragmas import QUERIES


@pytest.fixture
def store(server):
    """A store on an empty schema."""
    found = Store(server.make_schema())
    found.open()
    yield found
    found.close()


def shown(tx, name: str) -> str:
    """Return a setting of the session."""
    return str(tx.connection.execute(text(f"SHOW {name}")).scalar_one())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("synchronous_commit", "on"),
        ("statement_timeout", "15s"),
        ("lock_timeout", "5s"),
        ("idle_in_transaction_session_timeout", "10s"),
        ("transaction_isolation", "repeatable read"),
        ("client_encoding", "UTF8"),
        ("application_name", "escalatord"),
    ],
)
def test_what_safety_rests_on_is_taken_by_every_connection(store, name, value):
    """Read back from the session itself, the first one and the one after trouble."""
    assert value == store.write(lambda tx: shown(tx, name))
    store._writer.invalidate()
    assert value == store.write(lambda tx: shown(tx, name))


def test_only_simulations_do_without_the_disk(server):
    """`durable=False` is seen in the database's own words."""
    store = Store(server.make_schema(), durable=False)
    store.open()
    assert store.write(lambda tx: shown(tx, "synchronous_commit")) == "off"
    store.close()


def test_reading_can_change_nothing(store):
    """A reading transaction is read only, and so is its whole session."""
    assert store.read(lambda tx: shown(tx, "transaction_read_only")) == "on"
    assert store.read(lambda tx: shown(tx, "default_transaction_read_only")) == "on"


@pytest.mark.parametrize("name", QUERIES)
def test_no_query_reads_a_whole_table(store, monkeypatch, name):
    """Every query on the hot path can find its rows by an index, with parameters as the driver sends them."""
    asked = []
    execute = psycopg.Cursor.execute

    def note(cursor, query, params=None, **more):
        asked.append((query, params))
        return execute(cursor, query, params, **more)

    def work(tx):
        monkeypatch.setattr(psycopg.Cursor, "execute", note)
        QUERIES[name](tx)
        monkeypatch.undo()
        tx.connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        driver = tx.connection.connection.driver_connection
        for query, params in asked:
            plan = [row[0] for row in driver.execute("EXPLAIN " + query, params)]
            # an unordered read of what one condition leaves is fine; a whole table by force is not
            assert not [step for step in plan if "Seq Scan on" in step], plan

    store.write(work)
    assert asked


def test_rows_of_any_number_and_size_share_a_few_statements(store):
    """However many there are, and however long their numbers: the server prepares one statement for each of a few."""

    def work(tx):
        for count in range(1, 2 * ROWS_UP_TO[-1] + 1):
            numbers = [1000 * place + 10 ** (place % 18) for place in range(count)]
            rows = [{"incident": number, "length": number, "hash": ""} for number in numbers]
            insert_many(tx.connection, insert_or_replace(tx.connection, journal_heads), rows)
        asked = "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%journal_heads%'"
        return tx.connection.execute(text(asked)).scalar_one()

    assert 0 < store.write(work) <= len(ROWS_UP_TO)


def test_plans_are_made_anew_while_tables_grow(store, monkeypatch):
    """After one transaction, two, four, … and then at times: a plan of an empty table is not kept for a full one."""
    begun = []
    run = postgres.run
    monkeypatch.setattr(postgres, "run", lambda connection, words: (begun.append(words), run(connection, words))[1])
    monkeypatch.setattr(postgres, "PLANS_KEPT_MAX", 12)
    before = store.database._begun
    for _ in range(before, 30):
        store.write(lambda tx: None)
    stale = [number for number, words in enumerate(begun, before + 1) if "DISCARD PLANS" in words]
    assert stale == [number for number in (1, 2, 4, 8, 12, 16, 24) if number > before]


def test_a_plan_of_an_empty_table_finds_its_index_when_the_table_is_full(store):
    """The statement that every webhook runs, prepared and used while nothing was there, among 20,000 alerts later."""
    fingerprints = [f"f{number}" for number in range(16)]

    def look(tx):
        return tx.alerts("am", fingerprints)

    for _ in range(20):
        store.write(look)
    for start in range(0, 20_000, 5_000):
        some = [(alert(f"f{number}"), None) for number in range(start, start + 5_000)]
        store.write(lambda tx, some=some: tx.save_alerts(some))
    for _ in range(12):  # up to the next power of two
        store.write(look)
    read = (
        "SELECT idx_tup_fetch + seq_tup_read FROM pg_stat_xact_user_tables "
        "WHERE relname = 'alerts' AND schemaname = current_schema()"
    )

    def count(tx):
        before = tx.connection.execute(text(read)).scalar() or 0
        assert len(look(tx)) == 16
        return tx.connection.execute(text(read)).scalar() - before

    assert store.write(count) <= 32


@pytest.mark.parametrize(
    ("found", "say"),
    [
        ({"server_version_num": "120009"}, "too old"),
        ({"server_encoding": "LATIN1"}, "encoding LATIN1"),
        ({"fsync": "off"}, "fsync"),
        ({"full_page_writes": "off"}, "full_page_writes"),
    ],
)
def test_a_server_that_cannot_keep_the_promise_is_refused(server, monkeypatch, found, say):
    """Told before the first page is lost."""
    run = postgres.run

    def pretend(connection, words):
        return (found[words[5:]],) if words.startswith("SHOW ") and words[5:] in found else run(connection, words)

    monkeypatch.setattr(postgres, "run", pretend)
    with pytest.raises(StoreRefusedError, match=say):
        Store(server.make_schema()).open()


@pytest.mark.parametrize(
    ("change", "kind", "say"),
    [
        ({"port": 1}, StoreUnavailableError, "the connection was lost"),
        ({"database": "nowhere"}, StoreRefusedError, "no such database"),
        ({"username": "nobody"}, StoreRefusedError, "user or password"),
    ],
    ids=["nobody listens", "no database", "no such user"],
)
def test_who_cannot_be_reached_is_said_without_secrets(server, change, kind, say):
    """A sentence that names the database, and never its password."""
    address = make_url(server.url()).set(password="hunter2", **change)
    with pytest.raises(kind, match=say) as caught:
        Store(address.render_as_string(hide_password=False)).open()
    assert "hunter2" not in str(caught.value)


def test_a_user_who_may_not_make_tables_is_told_what_to_do(server):
    """The schema belongs to somebody else: `escalatord migrate`, as that one."""
    server.ask("DROP ROLE IF EXISTS plain")
    server.ask("CREATE ROLE plain LOGIN")
    address = make_url(server.make_schema()).set(username="plain")
    with pytest.raises(StoreRefusedError, match="escalatord migrate"):
        Store(address.render_as_string(hide_password=False)).open()


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("40001", ConflictError),
        ("40P01", ConflictError),
        ("55P03", StoreUnavailableError),
        ("57014", StoreUnavailableError),
        ("57P01", StoreUnavailableError),
        ("53100", StoreUnavailableError),
        ("53300", StoreUnavailableError),
        ("25006", StoreUnavailableError),
        ("XX001", StoreUnavailableError),
        ("42501", StoreUnavailableError),
        ("22012", None),
        ("42P01", None),
    ],
)
def test_errors_are_conflicts_trouble_or_defects(store, code, kind):
    """Who lost decides again, who met trouble tries later, and a defect is told as it is."""
    raising = f"DO $$ BEGIN RAISE EXCEPTION 'hunter2' USING ERRCODE = '{code}'; END $$"
    with pytest.raises(kind or Exception) as caught:
        store.write(lambda tx: tx.connection.exec_driver_sql(raising))
    assert isinstance(caught.value, StoreUnavailableError | ConflictError) is (kind is not None)
    if kind is not None:
        assert "hunter2" not in str(caught.value)
    assert store.write(lambda tx: tx.next_numbers(1)) != []


@pytest.mark.parametrize("values", [[None], ["a", "b"]], ids=["a row that lacks something", "a key that is taken"])
def test_what_was_to_be_written_is_in_no_error(store, values):
    """PostgreSQL quotes the row it refuses; nothing of it reaches the error, its cause, or a traceback."""
    rows = [{"name": "+34600000001", "value": value} for value in values]
    with pytest.raises(IntegrityError) as caught:
        store.write(lambda tx: execute_many(tx.connection, insert(settings), rows))
    assert "600000001" not in "".join(traceback.format_exception(caught.value))


def test_who_waits_too_long_for_a_lock_is_told(store, server, monkeypatch):
    """Somebody with a shell holds the table: senders are told to come again, and nothing ends for good."""
    monkeypatch.setitem(postgres.SESSION, "lock_timeout", "50ms")
    address = store.database._url.render_as_string(hide_password=False).replace("+psycopg", "")
    other = Store(address)
    other.open()
    with psycopg.connect(server.url()) as shell:
        schema = make_url(address).query["options"].rpartition("=")[2]
        shell.execute(f"LOCK TABLE {schema}.counters IN ACCESS EXCLUSIVE MODE".encode())
        with pytest.raises(StoreUnavailableError, match="another transaction holds what is needed"):
            other.write(lambda tx: tx.set_setting("a", "b"))
    other.settle(lambda tx: tx.set_setting("a", "b"))
    other.close()


def test_the_driver_is_needed_only_here(monkeypatch):
    """Without it the sentence says what to install."""

    def missing(*_args, **_kwargs):
        raise ModuleNotFoundError("No module named 'psycopg'")

    monkeypatch.setattr(postgres, "create_engine", missing)
    with pytest.raises(StoreRefusedError, match=r"pip install 'escalatord\[postgres\]'"):
        Store("postgresql://localhost/x").open()


def test_now_is_the_databases_and_read_once(store):
    """A transaction has one instant, aware, and the next one a later one."""
    first = store.write(lambda tx: (tx.standing.now, tx.standing.now))
    later = store.write(lambda tx: tx.standing.now)
    assert first[0] is first[1]
    assert first[0] < later
    assert first[0].tzinfo is not None
    assert first[0] != NOW


def test_a_path_is_not_asked_of_a_server(store):
    """There is none; the room is the server's."""
    with pytest.raises(LookupError):
        _ = store.path
    assert (store.shared, store.short_of_room) == (True, False)
