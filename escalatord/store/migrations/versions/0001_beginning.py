"""The first schema.

Written out, not derived from `tables`: history must not change when the tables do.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# SQLite numbers rows by itself only in a column whose type is exactly INTEGER.
NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")

OPEN = sa.text("state != 'resolved'")
DUE = sa.text("next_due_at IS NOT NULL AND state != 'resolved'")
PENDING = sa.text("state = 'pending'")
SENDING = sa.text("state = 'sending'")
PAGING = sa.text("incident > 0")
LOOKED_AT_AGAIN = sa.text("due_at IS NOT NULL")


def upgrade() -> None:
    incidents()
    alerts()
    journal()
    outbox()
    answers()
    run_time()


def downgrade() -> None:
    raise NotImplementedError("there is nothing before the first schema; restore a backup")


def incidents() -> None:
    op.create_table(
        "incidents",
        sa.Column("number", NUMBER, autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("severity", sa.SmallInteger, nullable=False),
        sa.Column("opened_severity", sa.String(16), nullable=False),
        sa.Column("policy", sa.Text, nullable=False),
        sa.Column("service", sa.Text, nullable=False),
        sa.Column("opened_at", sa.BigInteger, nullable=False),
        sa.Column("next_due_at", sa.BigInteger),
        sa.Column("body", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("number", name="incidents_pk"),
    )
    partial_index("incidents_open_key", "incidents", ["key"], OPEN, unique=True)
    partial_index("incidents_due", "incidents", ["severity", "next_due_at"], DUE)
    op.create_index("incidents_state", "incidents", ["state", "number"])
    figures = ["policy", "opened_severity", "state", "opened_at"]
    partial_index("incidents_open_figures", "incidents", figures, OPEN)


def alerts() -> None:
    op.create_table(
        "alerts",
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("incident", sa.BigInteger, nullable=False),
        sa.Column("firing", sa.Boolean, nullable=False),
        sa.Column("opened_at", sa.BigInteger, nullable=False),
        sa.Column("last_seen_at", sa.BigInteger, nullable=False),
        sa.Column("due_at", sa.BigInteger),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("verdict", sa.Text),
        sa.PrimaryKeyConstraint("source", "fingerprint", name="alerts_pk"),
    )
    partial_index("alerts_incident", "alerts", ["incident"], PAGING)
    partial_index("alerts_due", "alerts", ["due_at"], LOOKED_AT_AGAIN)
    op.create_index("alerts_opened", "alerts", ["opened_at"])


def journal() -> None:
    op.create_table(
        "journal",
        sa.Column("seq", NUMBER, autoincrement=True, nullable=False),
        sa.Column("incident", sa.BigInteger, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("via", sa.String(16), nullable=False),
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("policy", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("prev_hash", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="journal_pk"),
        sqlite_autoincrement=True,
    )
    op.create_index("journal_incident", "journal", ["incident", "seq"])
    op.create_table(
        "journal_heads",
        sa.Column("incident", NUMBER, autoincrement=False, nullable=False),
        sa.Column("length", sa.BigInteger, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("incident", name="journal_heads_pk"),
    )


def outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("reference", sa.Text, nullable=False),
        sa.Column("incident", sa.BigInteger, nullable=False),
        sa.Column("track", sa.Text, nullable=False),
        sa.Column("tier", sa.Integer, nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("person", sa.Text, nullable=False),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("lane", sa.Text, nullable=False),
        sa.Column("rank", sa.SmallInteger, nullable=False),
        sa.Column("late", sa.Boolean, nullable=False),
        sa.Column("reason", sa.String(32), nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("due_at", sa.BigInteger, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("lease_until", sa.BigInteger),
        sa.Column("claims", sa.Integer, nullable=False),
        sa.Column("provider_id", sa.Text, nullable=False),
        sa.Column("result", sa.Text, nullable=False),
        sa.Column("sent_at", sa.BigInteger),
        sa.Column("settled_at", sa.BigInteger),
        sa.PrimaryKeyConstraint("reference", name="outbox_pk"),
    )
    partial_index("outbox_lane", "outbox", ["lane", sa.text("rank DESC"), "due_at"], PENDING)
    partial_index("outbox_due", "outbox", ["due_at"], PENDING)
    partial_index("outbox_sending", "outbox", ["lease_until"], SENDING)
    op.create_index("outbox_incident", "outbox", ["incident"])


def answers() -> None:
    op.create_table(
        "codes",
        sa.Column("person", sa.Text, nullable=False),
        sa.Column("incident", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("code", sa.Text, nullable=False),
        sa.Column("track", sa.Text, nullable=False),
        sa.Column("released_at", sa.BigInteger),
        sa.PrimaryKeyConstraint("person", "incident", name="codes_pk"),
        sa.UniqueConstraint("person", "code", name="codes_person_code_unique"),
    )
    op.create_index("codes_incident", "codes", ["incident"])
    op.create_table(
        "links",
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("incident", sa.BigInteger, nullable=False),
        sa.Column("person", sa.Text, nullable=False),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("track", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name="links_pk"),
    )


def run_time() -> None:
    op.create_table(
        "policies",
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("hash", name="policies_pk"),
    )
    op.create_table(
        "overrides",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.Column("schedule", sa.Text, nullable=False),
        sa.Column("person", sa.Text, nullable=False),
        sa.Column("start_at", sa.BigInteger, nullable=False),
        sa.Column("end_at", sa.BigInteger, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("made_by", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="overrides_pk"),
    )
    op.create_index("overrides_end", "overrides", ["end_at"])
    op.create_table(
        "unreachable",
        sa.Column("person", sa.Text, nullable=False),
        sa.Column("address_key", sa.Text, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("person", "address_key", name="unreachable_pk"),
    )
    op.create_table(
        "dead_letters",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("code", sa.String(16), nullable=False),
        sa.Column("at_pointer", sa.Text, nullable=False),
        sa.Column("say", sa.Text, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("id", name="dead_letters_pk"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "tokens",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("name", name="tokens_pk"),
        sa.UniqueConstraint("token_hash", name="tokens_token_hash_unique"),
    )
    named_values("settings", sa.Text, [sa.Column("value", sa.Text, nullable=False)])
    named_values("counters", sa.String(32), [sa.Column("value", sa.BigInteger, nullable=False)])
    sums: list[sa.Column[Any]] = [
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    ]
    named_values("checkpoints", sa.String(32), sums)


def named_values(table: str, name: sa.types.TypeEngine[str] | type[sa.Text], values: list[sa.Column[Any]]) -> None:
    op.create_table(
        table,
        sa.Column("name", name, nullable=False),
        *values,
        sa.PrimaryKeyConstraint("name", name=f"{table}_pk"),
    )


def partial_index(name: str, table: str, columns: list[Any], where: sa.TextClause, *, unique: bool = False) -> None:
    op.create_index(name, table, columns, unique=unique, sqlite_where=where, postgresql_where=where)
