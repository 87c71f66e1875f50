"""Cycles that wait are judged in the order they ended, so that order has the index."""

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """One index instead of another."""
    op.drop_index("inbox_by_received_at", "inbox")
    columns = ["finished_at", "id", "country"]
    op.create_index("inbox_by_finished_at_id_country", "inbox", columns)
