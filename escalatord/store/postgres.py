"""PostgreSQL as what a store stands on: several nodes, no leader, and what its errors mean.

- Every transaction that writes sees one snapshot (REPEATABLE READ). Whoever would change a row that another node
  changed since then is told so by the database, and decides again: nothing is ever overwritten unseen.
- A transaction begins by naming the table `counters`: all share it, but one that lost twice in a row takes it for
  itself, waits for the others to end, and then cannot lose. So every batch ends in few tries, whatever the load.
- The same round trip brings the database's clock, which is `now` for everything the transaction decides, and gives the
  transaction its number before it takes any from a sequence: what `nodes.horizon` relies on.
- Settings travel with the connection and are the same after every reconnection. What a commit returned is on the disk.
"""

from collections.abc import Callable
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, NoSuchModuleError
from sqlalchemy.pool import NullPool
from structlog import get_logger

from escalatord.errors import EscalatordError, StoreRefusedError, StoreUnavailableError
from escalatord.store.codec import from_micros
from escalatord.store.incidents import ConflictError
from escalatord.store.standing import Standing

VERSION_MIN = 130000
CONNECT_SECONDS_MAX = 3
STATEMENT_SECONDS_MAX = 15
LOCK_SECONDS_MAX = 5
IDLE_IN_TRANSACTION_SECONDS_MAX = 10
"""A node that was stopped inside a transaction lets go of its locks after this long."""
MIGRATION_SECONDS_MAX = 600
MIGRATION_LOCK = 0x657363
"""The number of the advisory lock that one migrating node holds."""
DRIVER = "postgresql+psycopg"

SESSION = {
    "statement_timeout": f"{STATEMENT_SECONDS_MAX}s",
    "lock_timeout": f"{LOCK_SECONDS_MAX}s",
    "idle_in_transaction_session_timeout": f"{IDLE_IN_TRANSACTION_SECONDS_MAX}s",
    "client_encoding": "UTF8",
    "TimeZone": "UTC",
}
# A network that swallows everything is noticed in seconds, also while an answer is waited for.
WIRE: dict[str, Any] = {
    "connect_timeout": CONNECT_SECONDS_MAX,
    "keepalives_idle": 3,
    "keepalives_interval": 1,
    "keepalives_count": 3,
    "tcp_user_timeout": 5000,
    "application_name": "escalatord",
}
BEGIN_WRITING = (
    "BEGIN ISOLATION LEVEL REPEATABLE READ; LOCK TABLE counters IN %s MODE;%s "
    "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, "
    "coalesce((SELECT value FROM counters WHERE name = 'world'), 0), pg_current_xact_id()"
)
BEGIN_READING = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
# What runs with every commit is planned once for all values, perhaps while its table was all but empty, and the server
# itself looks at how tables have grown once a minute. So plans are made anew each time as many transactions have run
# again, later at times.
DISCARD_PLANS = " DISCARD PLANS;"
PLANS_KEPT_MAX = 4096
IDLE, IN_TRANSACTION = 0, 2
STATEMENTS_PREPARED_MAX = 400
"""Each takes some 20 KiB of the server's memory. Lists and rows come in a few lengths, each a statement of its own."""

CONFLICTS = frozenset({"40001", "40P01"})
"""Somebody else was faster, or two waited for each other: decide again."""
TROUBLE = {
    "08": "the connection was lost",
    "53": "the database server has no room, memory or connections left",
    "55P03": "another transaction holds what is needed",
    "57014": "a statement took too long",
    "57": "the database server is shutting down or starting",
    "58": "the database server's disk does not answer",
    "25006": "the database may only be read: it is a standby",
    "25P02": "the transaction was given up",
    "25P03": "the transaction waited too long",
    "XX": "the database is damaged",
}
DOWN = ("53", "57P", "58")
"""The server itself says that it cannot commit, to whoever asks."""
REFUSED_CONNECTION = "onnection refused"
"""No server is there: its machine says so. A network that swallows everything says nothing."""
REFUSED = {
    "28": "the database refuses this user or password",
    "3D": "there is no such database",
    "3F": "there is no schema that this user may make tables in; run `escalatord migrate` as one who may",
    "42501": "this user may not do that; run `escalatord migrate` as one who may",
}
# What the client library says when no connection comes about has no code, and may hold names: only its kind is told on.
UNCONNECTED = (
    ("password authentication failed", "28"),
    ("no password supplied", "28"),
    ("pg_hba.conf", "28"),
    ('database "', "3D"),
    ('role "', "28"),
)

log = get_logger(component="store")


class Postgres:
    """One PostgreSQL database, shared by all the nodes that have its address."""

    shared = True
    path = None
    short_of_room = False

    def __init__(self, url: URL, *, durable: bool) -> None:
        if url.query.get("target_session_attrs") == "read-write":
            # the same server, but a session of ours that only reads counts as well
            url = url.update_query_dict({"target_session_attrs": "primary"})
        self._url = url.set(drivername=DRIVER)
        self._durable = durable
        self._begun = 0
        self.name = url.render_as_string(hide_password=True)

    def take(self) -> None:
        """Do nothing: any number of nodes may come."""

    def writer(self) -> Engine:
        """Return the engine that writes."""
        return _engine(self._url, {"synchronous_commit": "on" if self._durable else "off", "jit": "off"})

    def reader(self) -> Engine:
        """Return the engine that reads."""
        return _engine(self._url, {"default_transaction_read_only": "on"})

    def prepare(self, connection: Connection, make: Callable[[Connection], object]) -> None:
        """Check the server; let `make` bring the schema up to date, one node at a time."""
        self._check(connection)
        with connection.begin():
            run(
                connection,
                f"BEGIN; SET LOCAL lock_timeout = 0; SET LOCAL statement_timeout = '{MIGRATION_SECONDS_MAX}s'",
            )
            run(connection, f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")
            make(connection)

    def opened(self) -> None:
        """Do nothing: the room is the server's."""

    def begin_writing(self, connection: Connection, *, alone: bool) -> Standing:
        """Begin a transaction on one snapshot; `alone` waits until no other node writes, and keeps them waiting."""
        connection.begin()
        self._begun += 1
        stale = self._begun.bit_count() == 1 or self._begun % PLANS_KEPT_MAX == 0
        begin = BEGIN_WRITING % ("EXCLUSIVE" if alone else "ROW SHARE", DISCARD_PLANS if stale else "")
        now, world, _ = run(connection, begin)
        return Standing(now=from_micros(int(now)), world=int(world))

    def begin_reading(self, connection: Connection) -> Standing:
        """Begin a transaction on one snapshot that can change nothing."""
        connection.begin()
        run(connection, BEGIN_READING)
        return Standing()

    def is_sound(self, connection: Connection) -> bool:
        """Return whether a transaction is under way in which nothing has failed: COMMIT would say yes to both."""
        return _status(connection) == IN_TRANSACTION

    def is_idle(self, connection: Connection) -> bool:
        """Return whether the connection works and no transaction is under way."""
        return _status(connection) == IDLE

    def committed(self) -> None:
        """Do nothing: the room is the server's."""

    def trouble(self, error: DBAPIError, connection: Connection) -> EscalatordError | None:
        """Return what an error of a transaction just rolled back means, None when it is a defect."""
        del connection
        code = _code(error)
        if code in CONFLICTS:
            return ConflictError("another node changed the same rows since they were read")
        sentence = _sentence(code, TROUBLE) or _sentence(code, REFUSED)
        if sentence is None:
            return None
        for_all = code.startswith(DOWN) or REFUSED_CONNECTION in str(error.orig)
        return StoreUnavailableError(f"the store is unavailable: {sentence}", for_all=for_all)

    def refusal(self, error: DBAPIError) -> EscalatordError | None:
        """Return what an error while opening means, None when it is a defect."""
        code = _code(error)
        if (sentence := _sentence(code, REFUSED)) is not None:
            return StoreRefusedError(f"{self.name} cannot be used: {sentence}")
        sentence = _sentence(code, TROUBLE)
        return None if sentence is None else StoreUnavailableError(f"{self.name} cannot be opened now: {sentence}")

    def release(self) -> None:
        """Do nothing: nothing is held."""

    def _check(self, connection: Connection) -> None:
        """Raise StoreRefusedError when the server cannot keep what was promised."""
        connection.begin()
        settings = ("server_version_num", "server_encoding", "fsync", "full_page_writes", "synchronous_standby_names")
        run(connection, "BEGIN")
        found = {name: str(run(connection, f"SHOW {name}")[0]) for name in settings}
        replicas = int(run(connection, "SELECT count(*) FROM pg_stat_replication")[0])
        connection.rollback()
        if self._durable and replicas and not found["synchronous_standby_names"]:
            log.warning(
                "no replica is synchronous: one that is promoted may lack what was answered",
                replicas=replicas,
                fix="set synchronous_standby_names at the server",
            )
        if int(found["server_version_num"]) < VERSION_MIN:
            raise StoreRefusedError("this PostgreSQL is too old; 13 or newer is needed")
        if found["server_encoding"] != "UTF8":
            raise StoreRefusedError(f"{self.name} has the encoding {found['server_encoding']}; make one with UTF8")
        if self._durable and "off" in (found["fsync"], found["full_page_writes"]):
            raise StoreRefusedError(
                "this PostgreSQL runs with fsync or full_page_writes off: a power cut may lose it all"
            )


def run(connection: Connection, text: str) -> tuple[Any, ...]:
    """Run our own words as they are, several statements in one round trip; return the last one's first row, if any.

    The driver is told not to prepare them: several statements cannot be.
    """
    driver = connection.connection.driver_connection
    errors = connection.dialect.loaded_dbapi.Error
    assert driver is not None  # noqa: S101 - the line above has just connected
    try:
        with driver.cursor() as cursor:
            cursor.execute(text, prepare=False)
            while cursor.nextset():
                pass
            return tuple(cursor.fetchone() or ()) if cursor.description else ()
    except errors as error:
        raise DBAPIError.instance(
            text, None, error, errors, hide_parameters=True, dialect=connection.dialect
        ) from error


def _status(connection: Connection) -> int:
    driver: Any = connection.connection.driver_connection
    return int(driver.pgconn.transaction_status)


def _code(error: DBAPIError) -> str:
    """Return the SQLSTATE of an error; what has none is made up for, "" for a defect."""
    known = getattr(error.orig, "sqlstate", None)
    if known:
        return str(known)
    if type(error.orig).__name__ not in ("OperationalError", "InterfaceError", "ConnectionTimeout"):
        return ""
    said = str(error.orig)
    return next((code for words, code in UNCONNECTED if words in said), "08")


def _sentence(code: str, sentences: dict[str, str]) -> str | None:
    return sentences.get(code) or sentences.get(code[:2])


def _engine(url: URL, session: dict[str, str]) -> Engine:
    given = url.query.get("options", "")
    settings = [f"-c {name}={value}" for name, value in {**SESSION, **session}.items()]
    options = " ".join([given if isinstance(given, str) else " ".join(given), *settings])
    try:
        engine = create_engine(
            url.difference_update_query(["options"]),
            poolclass=NullPool,
            connect_args={**WIRE, "options": options},
            use_native_hstore=False,
            # By number, as the server counts them: the driver would look for %s in long statements each time.
            paramstyle="numeric_dollar",
            # Parameters are alert text, phone numbers and hashes of secrets: they stay out of error texts.
            hide_parameters=True,
        )
    except (ModuleNotFoundError, NoSuchModuleError) as error:
        raise StoreRefusedError(
            "PostgreSQL needs a driver that is not installed: pip install 'escalatord[postgres]'"
        ) from error

    def on_connect(driver: Any, _record: object) -> None:
        from psycopg import RawCursor, RawServerCursor  # noqa: PLC0415 most have no use for it
        from psycopg.types.numeric import Int8BinaryDumper  # noqa: PLC0415 as above

        driver.cursor_factory, driver.server_cursor_factory = RawCursor, RawServerCursor
        driver.autocommit = True  # we say BEGIN ourselves, with all that goes with it
        driver.prepared_max = STATEMENTS_PREPARED_MAX
        # By itself the driver says of each number how long it is: every mixture would be prepared as another statement.
        driver.adapters.register_dumper(int, Int8BinaryDumper)

    event.listen(engine, "connect", on_connect)
    return engine
