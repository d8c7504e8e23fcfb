"""Several nodes on one database: who they are, what they tell each other, and numbers that keep nobody waiting."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# SQLite numbers rows by itself only in a column whose type is exactly INTEGER.
NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "nodes",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("place", sa.Text, nullable=False),
        sa.Column("version", sa.String(32), nullable=False),
        sa.Column("started_at", sa.BigInteger, nullable=False),
        sa.Column("heartbeat_at", sa.BigInteger, nullable=False),
        sa.Column("lease_until", sa.BigInteger, nullable=False),
        sa.Column("lateness_ms", sa.BigInteger, nullable=False),
        sa.Column("chain", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="nodes_pk"),
    )
    op.create_table(
        "alert_news",
        sa.Column("revision", NUMBER, autoincrement=True, nullable=False),
        sa.Column("chain", sa.BigInteger, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("revision", name="alert_news_pk"),
        sqlite_autoincrement=True,
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute(sa.schema.CreateSequence(sa.Sequence("incident_numbers")))
        op.execute(sa.schema.CreateSequence(sa.Sequence("node_chains")))
        op.execute("SELECT setval('incident_numbers', greatest(1, value)) FROM counters WHERE name = 'incident'")


def downgrade() -> None:
    raise NotImplementedError("an older release runs on this schema as it is; restore a backup to get rid of it")
