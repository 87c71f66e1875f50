"""The tables. What each column means is in docs/storage.md, which a test holds to this file.

- Every key begins with the country, and where rows pile up the time comes second: the months of one
  country lie together. On PostgreSQL these tables are partitioned by month
  (`storage.postgresql.partitions`). Keys of recomputed rows begin with the recomputation: it is
  read and deleted as a whole.
- Times are text (`storage.values.times`). Lists and nested values are JSON text, but for the
  observations: they are most of the database, so their JSON is compressed
  (`storage.values.compression`).
- What they have on PostgreSQL alone is in `storage.postgresql.tables`.
- Big columns come last: SQLite then reads the small ones without them.
- The `latest_…` tables repeat rows so that the current state is found without history.
"""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import (
    DDL,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    event,
    text,
)

from storage.sql.append_only import refusal
from storage.sql.columns import TEXT

metadata = MetaData(
    naming_convention={"ix": "%(table_name)s_by_%(column_0_N_name)s", "pk": "%(table_name)s_pk"}
)


def _text(*names: str) -> Iterable[Column[str]]:
    return [Column(name, TEXT, nullable=False) for name in names]


def _maybe_text(*names: str) -> Iterable[Column[str]]:
    return [Column(name, TEXT) for name in names]


def _where() -> Iterable[Column[str] | Column[int]]:
    """The vantage that measured."""
    return [
        *_text("vantage"),
        Column("asn", BigInteger, nullable=False),
        *_text("network", "vantage_role"),
    ]


cycle = Table(
    "cycle",
    metadata,
    *_text("country", "id", "vantage", "started_at", "finished_at", "received_at"),
    *(
        Column(name, Integer, nullable=False)
        for name in ("measurement_count", "verdict_count", "platform_count")
    ),
    Column("hurried", Boolean, nullable=False),
    PrimaryKeyConstraint("country", "id"),
    Index(None, "finished_at", "country", "id", "started_at"),
)

measurement = Table(
    "measurement",
    metadata,
    *_text("country", "started_at", "id", "cycle"),
    *_where(),
    *_text("platform", "function", "endpoint", "look"),
    Column("attempt", Integer, nullable=False),
    *_text("received_at"),
    Column("duration", Float, nullable=False),
    Column("reached", Boolean, nullable=False),
    *_maybe_text("egress_failure", "dns_failure", "tcp_failure", "tls_failure", "http_failure"),
    *(Column(name, Float) for name in ("dns_ms", "tcp_ms", "tls_ms", "http_ms")),
    Column("http_status", Integer),
    *_text("not_observed", "resolvers", "addresses"),
    *_maybe_text("tls_chain_sha256", "http_url", "http_title"),
    Column("http_body_bytes", BigInteger),
    *_maybe_text("http_body_sha256"),
    Column("observations", LargeBinary, nullable=False),
    PrimaryKeyConstraint("country", "started_at", "id"),
    Index(None, "started_at"),
    Index(None, "cycle"),
)
Index(
    # Measurements of controls are few, and are searched all the time.
    "measurement_of_controls_by_started_at",
    measurement.c.started_at,
    sqlite_where=text("vantage_role = 'control'"),
)


def _verdict_columns() -> Iterable[Column[str] | Column[int] | Column[float]]:
    return [
        *_text("country", "judged_at", "cycle"),
        *_where(),
        *_text("platform", "function", "endpoint"),
        *_text("state", "method", "sub_method", "family", "rule_id", "evidence"),
        Column("llr", Float, nullable=False),
        *_text("rules_version", "measurement", "controls", "failures"),
    ]


def _platform_columns() -> Iterable[Column[str] | Column[int] | Column[float]]:
    return [
        *_text("country", "judged_at", "cycle"),
        *_where(),
        *_text("platform", "state", "method", "sub_method", "rule_id", "evidence"),
        Column("llr", Float, nullable=False),
        *_text("rules_version", "measurement", "started_at", "functions"),
    ]


def _passing() -> Column[str]:
    return Column("passing", TEXT, nullable=False, server_default="[]")


def _part_columns() -> Iterable[Column[str] | Column[float]]:
    """What part is affected, in verdicts on platforms and in events."""
    return [Column("family", TEXT, nullable=False, server_default=""), Column("share", Float)]


def _health_columns() -> Iterable[Column[str] | Column[int] | Column[float] | Column[bool]]:
    return [
        *_text("country", "at", "cycle"),
        *_where(),
        *_text("state", "rule_id"),
        Column("references_ok", Integer, nullable=False),
        Column("references_total", Integer, nullable=False),
        Column("timeout_rate", Float, nullable=False),
        *_text("families"),
        Column("clock_skew", Float),
        Column("stub_resolver", Boolean, nullable=False),
        *_text("nat64", "exit_country"),
        Column("exit_asn", BigInteger, nullable=False),
    ]


def _latest_columns() -> Iterable[Column[str]]:
    """They decide whether a row is newer: see `storage.sql.cycle_rows`."""
    return _text("cycle_started_at", "received_at")


verdict = Table(
    "verdict",
    metadata,
    *_verdict_columns(),
    *_maybe_text("measured_at", "measured_until"),
    Column("share", Float),
    PrimaryKeyConstraint(
        "country", "judged_at", "cycle", "vantage", "platform", "function", "endpoint"
    ),
    Index(None, "judged_at"),
)

platform_verdict = Table(
    "platform_verdict",
    metadata,
    *_platform_columns(),
    *_maybe_text("measured_at", "measured_until"),
    *_part_columns(),
    PrimaryKeyConstraint("country", "judged_at", "cycle", "vantage", "platform"),
    Index(None, "judged_at"),
)

vantage_health = Table(
    "vantage_health",
    metadata,
    *_health_columns(),
    *_maybe_text("measured_at"),
    _passing(),
    PrimaryKeyConstraint("country", "at", "cycle", "vantage"),
    Index(None, "country", "cycle"),
)


def _availability(name: str, *more: Column[int]) -> Table:
    """Counts of verdicts. The rows are stored, and read, in the order of their key."""
    return Table(
        name,
        metadata,
        *_text("country", "platform", "starts_at"),
        Column("asn", BigInteger, nullable=False),
        *_text("network"),
        *(
            Column(state, Integer, nullable=False)
            for state in ("ok", "degraded", "throttled", "blocked", "down", "insufficient")
        ),
        *more,
        PrimaryKeyConstraint("country", "platform", "starts_at", "asn", "network"),
        sqlite_with_rowid=False,
    )


availability_hour = _availability("availability_hour")
availability_day = _availability("availability_day", Column("hours", Integer, nullable=False))

latest_verdict = Table(
    "latest_verdict",
    metadata,
    *_verdict_columns(),
    *_latest_columns(),
    *_maybe_text("measured_at", "measured_until"),
    Column("share", Float),
    PrimaryKeyConstraint("country", "vantage", "platform", "function", "endpoint"),
)

latest_platform = Table(
    "latest_platform",
    metadata,
    *_platform_columns(),
    *_latest_columns(),
    *_maybe_text("measured_at", "measured_until"),
    *_part_columns(),
    PrimaryKeyConstraint("country", "vantage", "platform"),
)

latest_health = Table(
    "latest_health",
    metadata,
    *_health_columns(),
    *_latest_columns(),
    *_maybe_text("measured_at"),
    _passing(),
    PrimaryKeyConstraint("country", "vantage"),
)


def _event_columns() -> Iterable[Column[str] | Column[str | None] | Column[int] | Column[float]]:
    return [
        *_text("country", "id", "kind", "platform", "vantage", "state", "scope", "evidence"),
        *_maybe_text("onset_earliest"),
        *_text("onset_latest", "detected_at"),
        *_maybe_text("confirmed_at", "end_earliest", "end_latest"),
        *_text("updated_at", "first_measurement", "rules_version"),
        Column("reopened", Integer, nullable=False),
        Column("share_affected", Float),
        *_text("pattern", "functions", "methods", "networks"),
        Column("weight", Float),
        Column("weight_needed", Integer, nullable=False, server_default="0"),
        Column("doubts", TEXT, nullable=False, server_default="[]"),
        *_part_columns(),
        _passing(),
    ]


# `event` names the table here and the hook registry of SQLAlchemy above.
event_table = Table("event", metadata, *_event_columns(), PrimaryKeyConstraint("country", "id"))

event_log = Table(
    "event_log",
    metadata,
    *_text("country", "event"),
    Column("sequence", Integer, nullable=False),
    *_text("at", "change", "detail", "snapshot"),
    PrimaryKeyConstraint("country", "event", "sequence"),
    ForeignKeyConstraint(["country", "event"], ["event.country", "event.id"]),
    Index(None, "event", "sequence"),
)

conclusion = Table(
    "conclusion",
    metadata,
    *_text("country", "platform", "kind"),
    *_maybe_text("until"),
    *_text("until_key", "state"),
    PrimaryKeyConstraint("country", "platform"),
)

earlier_conclusion = Table(
    "earlier_conclusion",
    metadata,
    *_text("country", "platform", "until", "until_key", "kind", "state"),
    PrimaryKeyConstraint("country", "platform", "until"),
)

review = Table(
    "review",
    metadata,
    *_text("country", "event", "at", "id", "mark", "reviewer", "note"),
    PrimaryKeyConstraint("country", "event", "id"),
    ForeignKeyConstraint(["country", "event"], ["event.country", "event.id"]),
    Index(None, "event", "at"),
)

annotation = Table(
    "annotation",
    metadata,
    *_text("country", "since", "id"),
    *_maybe_text("until"),
    *_text("platform", "kind", "source", "added_at", "text"),
    PrimaryKeyConstraint("country", "since", "id"),
)

withheld = Table(
    "withheld",
    metadata,
    *_text("country", "url", "since", "platform", "kind", "seen_at"),
    *_maybe_text("over_at"),
    Column("rounds", Integer, nullable=False),
    *_text("controls"),
    Column("named", Boolean, nullable=False),
    PrimaryKeyConstraint("country", "url", "since"),
)

outbox = Table(
    "outbox",
    metadata,
    *_text("country", "event"),
    Column("sequence", Integer, nullable=False),
    *_text("route", "target", "occasion", "state", "created_at"),
    *_maybe_text("retry_at", "settled_at"),
    Column("attempts", Integer, nullable=False),
    *_text("reason"),
    PrimaryKeyConstraint("country", "event", "sequence", "route", "target"),
    ForeignKeyConstraint(
        ["country", "event", "sequence"],
        ["event_log.country", "event_log.event", "event_log.sequence"],
    ),
    Index(None, "state", "created_at"),
)

target_key = Table("target_key", metadata, *_text("key"), PrimaryKeyConstraint("key"))

archive_use = Table("archive_use", metadata, *_text("since"), PrimaryKeyConstraint("since"))

verified_before = Table(
    "verified_before",
    metadata,
    *_text("vantage", "country"),
    Column("asn", BigInteger, nullable=False),
    *_text("addresses"),
    PrimaryKeyConstraint("vantage"),
)

rejudging = Table(
    "rejudging",
    metadata,
    *_text("id", "at", "version", "rules_version"),
    *_maybe_text("finished_at", "since", "until"),
    *_text("country", "platform"),
    *(
        Column(name, Integer, nullable=False)
        for name in ("cycles", "kept", "verdicts", "platforms", "events", "differing")
    ),
    PrimaryKeyConstraint("id"),
)

# The rows of one recomputation lie together, in the order they are listed in.
rejudged_verdict = Table(
    "rejudged_verdict",
    metadata,
    *_text("rejudging"),
    *_verdict_columns(),
    *_maybe_text("measured_at", "measured_until"),
    Column("share", Float),
    PrimaryKeyConstraint(
        "rejudging", "judged_at", "country", "cycle", "vantage", "platform", "function", "endpoint"
    ),
)

rejudged_platform = Table(
    "rejudged_platform",
    metadata,
    *_text("rejudging"),
    *_platform_columns(),
    *_maybe_text("measured_at", "measured_until"),
    *_part_columns(),
    PrimaryKeyConstraint("rejudging", "judged_at", "country", "cycle", "vantage", "platform"),
)

rejudged_event = Table(
    "rejudged_event",
    metadata,
    *_text("rejudging"),
    *_event_columns(),
    PrimaryKeyConstraint("rejudging", "country", "id"),
)

enrolment = Table(
    "enrolment",
    metadata,
    *_text("vantage", "country"),
    Column("asn", BigInteger, nullable=False),
    *_text("network", "role", "profile", "key", "fingerprint", "enrolled_at"),
    *_maybe_text("revoked_at"),
    *_text("reason"),
    Column("held_by", TEXT, nullable=False, server_default=""),
    Column("agreed", Float, nullable=False, server_default="0"),
    *_maybe_text("established_at"),
    PrimaryKeyConstraint("fingerprint"),
)
Index(
    # A vantage has one valid key, also when two people enrol at the same time.
    "enrolment_that_may_speak_by_vantage",
    enrolment.c.vantage,
    unique=True,
    sqlite_where=text("revoked_at IS NULL"),
)

invitation = Table(
    "invitation",
    metadata,
    *_text("digest", "vantage", "country"),
    Column("asn", BigInteger, nullable=False),
    *_text("network", "role", "profile", "held_by", "made_at", "expires_at"),
    *_maybe_text("used_at"),
    *_text("used_by"),
    *_maybe_text("withdrawn_at"),
    PrimaryKeyConstraint("digest"),
)

quarantine = Table(
    "quarantine",
    metadata,
    *_text("vantage", "country"),
    *_maybe_text("since", "until"),
    *_text("reason", "at"),
    PrimaryKeyConstraint("vantage"),
)

audit = Table(
    "audit",
    metadata,
    *_text("at", "id", "who", "what", "target", "detail"),
    PrimaryKeyConstraint("at", "id"),
)

mute = Table(
    "mute",
    metadata,
    *_text("country", "event", "until", "at"),
    PrimaryKeyConstraint("country", "event"),
)

acknowledgement = Table(
    "acknowledgement", metadata, *_text("finding", "at"), PrimaryKeyConstraint("finding")
)

batch = Table(
    "batch",
    metadata,
    *_text("country", "vantage", "id", "fingerprint", "sent_at", "encoding", "signature"),
    *_text("body_sha256", "received_at"),
    Column("body", LargeBinary, nullable=False),
    PrimaryKeyConstraint("country", "vantage", "id"),
    Index(None, "received_at"),
)

batch_cycle = Table(
    "batch_cycle",
    metadata,
    *_text("country", "vantage", "batch", "cycle"),
    PrimaryKeyConstraint("country", "vantage", "batch", "cycle"),
    ForeignKeyConstraint(
        ["country", "vantage", "batch"],
        ["batch.country", "batch.vantage", "batch.id"],
        ondelete="CASCADE",
    ),
    Index(None, "cycle"),
    sqlite_with_rowid=False,
)

inbox = Table(
    "inbox",
    metadata,
    *_text("country", "id", "vantage", "started_at", "finished_at", "received_at"),
    *_text("batch"),
    Column("position", Integer, nullable=False),
    Column("hurried", Boolean, nullable=False),
    Column("backfilled", Boolean, nullable=False),
    *_text("health"),
    PrimaryKeyConstraint("country", "id"),
    Index(None, "finished_at", "id", "country"),
)

latest_look = Table(
    "latest_look",
    metadata,
    *_text("country", "vantage", "platform", "function", "endpoint"),
    Column("asn", BigInteger, nullable=False),
    *_text("network", "vantage_role", "look", "started_at", "measurement", "cycle"),
    Column("reached", Boolean, nullable=False),
    *_maybe_text("egress_failure", "dns_failure", "tcp_failure", "tls_failure", "http_failure"),
    *_text("received_at"),
    PrimaryKeyConstraint("country", "vantage", "platform", "function", "endpoint"),
)

look_hour = Table(
    "look_hour",
    metadata,
    *_text("country", "platform", "starts_at"),
    Column("asn", BigInteger, nullable=False),
    *_text("network"),
    *(Column(name, Integer, nullable=False) for name in ("looks", "reached", "failed")),
    PrimaryKeyConstraint("country", "platform", "starts_at", "asn", "network"),
    sqlite_with_rowid=False,
)

log_entry = Table(
    "log_entry",
    metadata,
    Column("position", BigInteger, nullable=False, autoincrement=False),
    *_text("digest", "nodes"),
    PrimaryKeyConstraint("position"),
    Index(None, "digest", unique=True),
)

log_waiting = Table("log_waiting", metadata, *_text("digest"), PrimaryKeyConstraint("digest"))

log_head = Table(
    "log_head",
    metadata,
    Column("size", BigInteger, nullable=False, autoincrement=False),
    *_text("root", "kind", "authority", "at"),
    Column("proof", LargeBinary, nullable=False),
    PrimaryKeyConstraint("size", "kind", "authority"),
)

sourced_row = Table(
    "sourced_row",
    metadata,
    *_text("country", "source", "uid", "measured_at", "received_at"),
    Column("asn", BigInteger, nullable=False),
    *_text("platform", "part", "test"),
    Column("failed", Float, nullable=False),
    Column("confirmed", Boolean, nullable=False),
    *_text("methods", "judged", "left_out", "licence"),
    Column("version", TEXT, nullable=False, server_default=""),
    PrimaryKeyConstraint("country", "source", "uid"),
    Index(None, "measured_at", "country", "source", "uid"),
    Index(None, "country", "platform", "measured_at"),
)

source_state = Table(
    "source_state", metadata, *_text("source", "state"), PrimaryKeyConstraint("source")
)

sourced_event = Table(
    "sourced_event",
    metadata,
    *_text("country", "source", "id", "platform"),
    Column("active", Boolean, nullable=False),
    *_text("first_seen_at", "event"),
    PrimaryKeyConstraint("country", "source", "id"),
)

for _table in (event_log, review, audit, log_entry):
    for _dialect in ("sqlite", "postgresql"):
        for _statement in refusal(_table.name, _dialect):
            # DDL takes a percent sign for the beginning of a name.
            _refuse: Any = DDL(_statement.replace("%", "%%")).execute_if(dialect=_dialect)  # type: ignore[no-untyped-call]
            event.listen(_table, "after_create", _refuse)
