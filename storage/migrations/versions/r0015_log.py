"""The append-only log. What was received and enrolled before waits to be added to it."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import sqlalchemy as sa
from alembic import op

from storage.sql.append_only import refusal
from storage.sql.columns import TEXT
from storage.values.log import batch_digest, enrolment_digest, revocation_digest
from storage.values.times import text_time

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_AT_ONCE = 1000
_KEY = (
    *("vantage", "country", "asn", "network", "role", "profile", "key", "fingerprint"),
    *("enrolled_at", "revoked_at"),
)
_BATCH = (
    *("country", "vantage", "id", "fingerprint", "sent_at", "encoding", "signature"),
    *("body_sha256", "received_at"),
)
"""Without the body, which is in the digest by its SHA-256."""


def _text(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, TEXT, nullable=False) for name in names]


def upgrade() -> None:
    """Add the tables, and note what is there."""
    op.create_table(
        "log_entry",
        sa.Column("position", sa.BigInteger, nullable=False, autoincrement=False),
        *_text("digest", "nodes"),
        sa.PrimaryKeyConstraint("position", name="log_entry_pk"),
    )
    op.create_index("log_entry_by_digest", "log_entry", ["digest"], unique=True)
    waiting = op.create_table(
        "log_waiting", *_text("digest"), sa.PrimaryKeyConstraint("digest", name="log_waiting_pk")
    )
    op.create_table(
        "log_head",
        sa.Column("size", sa.BigInteger, nullable=False, autoincrement=False),
        *_text("root", "kind", "authority", "at"),
        sa.Column("proof", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("size", "kind", "authority", name="log_head_pk"),
    )
    for statement in refusal("log_entry", op.get_bind().dialect.name):
        op.execute(statement)
    digests = sorted(_digests(op.get_bind()))
    for start in range(0, len(digests), _AT_ONCE):
        rows = [{"digest": one} for one in digests[start : start + _AT_ONCE]]
        op.bulk_insert(waiting, rows)


def _digests(connection: sa.Connection) -> set[str]:
    found: set[str] = set()
    for key in _rows(connection, "enrolment", _KEY, "enrolled_at"):
        found.add(enrolment_digest(key))
        if key.revoked_at is not None:
            found.add(revocation_digest(key.fingerprint, text_time(key.revoked_at)))
    for batch in _rows(connection, "batch", _BATCH, "received_at"):
        if batch.fingerprint:
            found.add(batch_digest(batch))
    return found


def _rows(
    connection: sa.Connection, table: str, names: tuple[str, ...], time: str
) -> Iterator[Any]:
    """Rows with the columns of this version, whatever columns come later."""
    row: Any
    for row in connection.execute(sa.select(*map(sa.column, names)).select_from(sa.table(table))):
        cells = row._asdict()
        yield SimpleNamespace(**{**cells, time: text_time(cells[time])})
