"""Silences: what humans mute at run time."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# SQLite numbers rows by itself only in a column whose type is exactly INTEGER.
NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "silences",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("matchers", sa.Text, nullable=False),
        sa.Column("start_at", sa.BigInteger, nullable=False),
        sa.Column("end_at", sa.BigInteger, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("made_by", sa.Text, nullable=False),
        sa.Column("apply_to_open", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("id", name="silences_pk"),
        sqlite_autoincrement=True,
    )
    op.create_index("silences_end", "silences", ["end_at"])


def downgrade() -> None:
    raise NotImplementedError("silences would be lost; restore a backup from before the upgrade")
