"""The tables, in words both SQLite and PostgreSQL understand.

- Instants are integer microseconds since 1970 in UTC: SQLite drops the zone of a datetime, integers lose nothing.
- What a query filters or sorts by is a column; the whole value lies beside it as JSON (see `codec`), so that the core
  can grow a field without a migration. A column that changes on its own (`version`, `last_seen_at`) is left out of
  the JSON: each fact has one place.
- Deadlines are partial indexes: what is asleep or over costs nothing when the next deadline is looked for.

A change here needs a new file in `migrations/versions` and a new `SCHEMA_VERSION`; a test compares the two ways.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    literal_column,
)
from sqlalchemy import Sequence as Numbering

SCHEMA_VERSION = "0004"
# The oldest schema whose code may still run on this one, beside nodes that are upgraded already: see `migrate`. Nothing
# older knows of other nodes.
SCHEMA_SERVES = "0004"

metadata = MetaData(naming_convention={"pk": "%(table_name)s_pk", "uq": "%(table_name)s_%(column_0_N_name)s_unique"})

# SQLite numbers rows by itself only in a column whose type is exactly INTEGER.
Sequence = BigInteger().with_variant(Integer, "sqlite")


def word(value: str) -> ColumnElement[str]:
    """Return one of our own words as SQL text.

    A partial index serves a query whose condition implies its own; with a parameter in place of the word that is known
    only after planning a second time, or (in a plan made once for all values) never.
    """
    return literal_column(f"'{value}'", String)


incidents = Table(
    "incidents",
    metadata,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("version", Integer, nullable=False),
    Column("key", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("severity", SmallInteger, nullable=False),
    Column("opened_severity", String(16), nullable=False),
    Column("policy", Text, nullable=False),
    Column("service", Text, nullable=False),
    Column("opened_at", BigInteger, nullable=False),
    Column("next_due_at", BigInteger),
    Column("body", Text, nullable=False),
)
incident_is_open = incidents.c.state != word("resolved")
Index(
    "incidents_open_key",
    incidents.c.key,
    unique=True,
    sqlite_where=incident_is_open,
    postgresql_where=incident_is_open,
)
# Read one severity at a time: the most severe due first, without a sort.
incident_is_due = incidents.c.next_due_at.is_not(None) & incident_is_open
Index(
    "incidents_due",
    incidents.c.severity,
    incidents.c.next_due_at,
    sqlite_where=incident_is_due,
    postgresql_where=incident_is_due,
)
Index("incidents_state", incidents.c.state, incidents.c.number)
# The one that closed last under a key: what fires again soon goes on in it.
incident_is_over = incidents.c.state == word("resolved")
Index(
    "incidents_over_key",
    incidents.c.key,
    incidents.c.number,
    sqlite_where=incident_is_over,
    postgresql_where=incident_is_over,
)
incident_has_service = incident_is_open & (incidents.c.service != word(""))
Index(
    "incidents_open_service",
    incidents.c.service,
    incidents.c.number,
    sqlite_where=incident_has_service,
    postgresql_where=incident_has_service,
)
# Holds all that the gauges need, so that counting reads no bodies.
Index(
    "incidents_open_figures",
    incidents.c.policy,
    incidents.c.opened_severity,
    incidents.c.state,
    incidents.c.opened_at,
    sqlite_where=incident_is_open,
    postgresql_where=incident_is_open,
)

alerts = Table(
    "alerts",
    metadata,
    Column("source", Text, primary_key=True),
    Column("fingerprint", Text, primary_key=True),
    Column("incident", BigInteger, nullable=False),
    Column("firing", Boolean, nullable=False),
    Column("opened_at", BigInteger, nullable=False),
    Column("last_seen_at", BigInteger, nullable=False),
    Column("due_at", BigInteger),
    Column("body", Text, nullable=False),
    Column("verdict", Text),
)
alert_has_incident = alerts.c.incident > literal_column("0")
Index("alerts_incident", alerts.c.incident, sqlite_where=alert_has_incident, postgresql_where=alert_has_incident)
alert_is_due = alerts.c.due_at.is_not(None)
Index("alerts_due", alerts.c.due_at, sqlite_where=alert_is_due, postgresql_where=alert_is_due)
Index("alerts_opened", alerts.c.opened_at)

journal = Table(
    "journal",
    metadata,
    Column("seq", Sequence, primary_key=True, autoincrement=True),
    Column("incident", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("actor", Text, nullable=False),
    Column("via", String(16), nullable=False),
    Column("kind", String(64), nullable=False),
    Column("policy", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("prev_hash", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    # A number is never given twice, not even after the last rows were cut off: readers go on from the number they saw.
    sqlite_autoincrement=True,
)
Index("journal_incident", journal.c.incident, journal.c.seq)

# Where each chain ends. Without it, rows cut off at the end of a chain would not be missed.
journal_heads = Table(
    "journal_heads",
    metadata,
    Column("incident", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("length", BigInteger, nullable=False),
    Column("hash", String(64), nullable=False),
)

outbox = Table(
    "outbox",
    metadata,
    Column("reference", Text, primary_key=True),
    Column("incident", BigInteger, nullable=False),
    Column("track", Text, nullable=False),
    Column("tier", Integer, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("person", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("lane", Text, nullable=False),
    Column("rank", SmallInteger, nullable=False),
    Column("late", Boolean, nullable=False),
    Column("reason", String(32), nullable=False),
    Column("actor", Text, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("state", String(16), nullable=False),
    Column("lease_until", BigInteger),
    Column("claims", Integer, nullable=False),
    Column("provider_id", Text, nullable=False),
    Column("result", Text, nullable=False),
    Column("sent_at", BigInteger),
    Column("settled_at", BigInteger),
)
attempt_is_pending = outbox.c.state == word("pending")
attempt_is_sending = outbox.c.state == word("sending")
Index(
    "outbox_lane",
    outbox.c.lane,
    outbox.c.rank.desc(),
    outbox.c.due_at,
    sqlite_where=attempt_is_pending,
    postgresql_where=attempt_is_pending,
)
Index("outbox_due", outbox.c.due_at, sqlite_where=attempt_is_pending, postgresql_where=attempt_is_pending)
Index("outbox_sending", outbox.c.lease_until, sqlite_where=attempt_is_sending, postgresql_where=attempt_is_sending)
Index("outbox_incident", outbox.c.incident)
# What one person still waits for, and what they got lately: for limits.
Index(
    "outbox_waiting",
    outbox.c.person,
    outbox.c.channel,
    outbox.c.due_at,
    sqlite_where=attempt_is_pending,
    postgresql_where=attempt_is_pending,
)
attempt_was_sent = outbox.c.sent_at.is_not(None)
Index(
    "outbox_sent",
    outbox.c.person,
    outbox.c.sent_at,
    outbox.c.channel,
    outbox.c.kind,
    sqlite_where=attempt_was_sent,
    postgresql_where=attempt_was_sent,
)

# Messages that tell one person of several things: what is in them, and the code that answers for all of it.
digests = Table(
    "digests",
    metadata,
    Column("reference", Text, primary_key=True),
    Column("person", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("made_at", BigInteger, nullable=False),
)
Index("digests_person", digests.c.person, digests.c.made_at)

digest_members = Table(
    "digest_members",
    metadata,
    Column("reference", Text, primary_key=True),
    Column("digest", Text, nullable=False),
    Column("incident", BigInteger, nullable=False),
    Column("track", Text, nullable=False),
    Column("kind", String(16), nullable=False),
)
Index("digest_members_digest", digest_members.c.digest)

policies = Table(
    "policies",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("name", Text, nullable=False),
    Column("body", Text, nullable=False),
)

codes = Table(
    "codes",
    metadata,
    Column("person", Text, primary_key=True),
    Column("incident", BigInteger, primary_key=True, autoincrement=False),
    Column("code", Text, nullable=False),
    Column("track", Text, nullable=False),
    Column("released_at", BigInteger),
    UniqueConstraint("person", "code"),
)
Index("codes_incident", codes.c.incident)

links = Table(
    "links",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("incident", BigInteger, nullable=False),
    Column("person", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("track", Text, nullable=False),
)

overrides = Table(
    "overrides",
    metadata,
    Column("id", Sequence, primary_key=True, autoincrement=True),
    Column("schedule", Text, nullable=False),
    Column("person", Text, nullable=False),
    Column("start_at", BigInteger, nullable=False),
    Column("end_at", BigInteger, nullable=False),
    Column("why", Text, nullable=False),
    Column("made_by", Text, nullable=False),
)
Index("overrides_end", overrides.c.end_at)

silences = Table(
    "silences",
    metadata,
    Column("id", Sequence, primary_key=True, autoincrement=True),
    Column("kind", String(16), nullable=False),
    Column("matchers", Text, nullable=False),
    Column("start_at", BigInteger, nullable=False),
    Column("end_at", BigInteger, nullable=False),
    Column("why", Text, nullable=False),
    Column("made_by", Text, nullable=False),
    Column("apply_to_open", Boolean, nullable=False),
    # A silence is named by its number in the journal: none is given twice.
    sqlite_autoincrement=True,
)
Index("silences_end", silences.c.end_at)

unreachable = Table(
    "unreachable",
    metadata,
    Column("person", Text, primary_key=True),
    Column("address_key", Text, primary_key=True),
    Column("why", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
)

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("id", Sequence, primary_key=True, autoincrement=True),
    Column("at", BigInteger, nullable=False),
    Column("source", Text, nullable=False),
    Column("code", String(16), nullable=False),
    Column("at_pointer", Text, nullable=False),
    Column("say", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    sqlite_autoincrement=True,
)

tokens = Table(
    "tokens",
    metadata,
    Column("name", Text, primary_key=True),
    Column("role", String(16), nullable=False),
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("created_at", BigInteger, nullable=False),
)

settings = Table(
    "settings",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

# Numbers given out so far, by what they number. Incidents of several nodes are numbered by a sequence instead.
counters = Table(
    "counters",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("value", BigInteger, nullable=False),
)

# The sums of journal entries already counted or deleted, so that figures continue over restarts and retention.
checkpoints = Table(
    "checkpoints",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
)

# The daemons that share this database, and until when each of them may send. A process alone with its file has no row.
nodes = Table(
    "nodes",
    metadata,
    Column("id", Text, primary_key=True),
    Column("place", Text, nullable=False),
    Column("version", String(32), nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("heartbeat_at", BigInteger, nullable=False),
    Column("lease_until", BigInteger, nullable=False),
    Column("lateness_ms", BigInteger, nullable=False),
    Column("chain", BigInteger, nullable=False),
)

# Which alerts changed, in the order of `revision`: how nodes tell each other what rules that look around depend on.
alert_news = Table(
    "alert_news",
    metadata,
    Column("revision", Sequence, primary_key=True, autoincrement=True),
    Column("chain", BigInteger, nullable=False),
    Column("source", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    sqlite_autoincrement=True,
)

# SQLite has no sequences, and one process: there `counters` does.
incident_numbers = Numbering("incident_numbers", metadata=metadata)
node_chains = Numbering("node_chains", metadata=metadata)
