"""What files show of a look stands beside its observations, which need not be unpacked for it.

Rows that are there get it from their observations; of those that cannot be read it stays unsaid.
"""

import zlib
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from alembic import op

from storage.sql.columns import TEXT

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_KEY = ("country", "started_at", "id")
_LISTS = ("resolvers", "addresses")
_MORE = ("tls_chain_sha256", "http_url", "http_title", "http_body_bytes", "http_body_sha256")
_SHOWN = (*_LISTS, *_MORE)
_AT_ONCE = 1000
"""Rows in memory at a time."""


def _text(*names: str) -> Iterable[sa.Column[Any]]:
    return [sa.Column(name, TEXT, nullable=False) for name in names]


def _maybe_text(*names: str) -> Iterable[sa.Column[Any]]:
    return [sa.Column(name, TEXT) for name in names]


def _before() -> list[sa.Column[Any]]:
    return [
        *_text("country", "started_at", "id", "cycle", "vantage"),
        sa.Column("asn", sa.BigInteger, nullable=False),
        *_text("network", "vantage_role", "platform", "role", "endpoint", "look"),
        sa.Column("attempt", sa.Integer, nullable=False),
        *_text("received_at"),
        sa.Column("duration", sa.Float, nullable=False),
        sa.Column("reached", sa.Boolean, nullable=False),
        *_maybe_text("egress_failure", "dns_failure", "tcp_failure", "tls_failure", "http_failure"),
        *(sa.Column(name, sa.Float) for name in ("dns_ms", "tcp_ms", "tls_ms", "http_ms")),
        sa.Column("http_status", sa.Integer),
        *_text("not_observed"),
    ]


def _shown() -> list[sa.Column[Any]]:
    return [
        *_text(*_LISTS),
        *_maybe_text("tls_chain_sha256", "http_url", "http_title"),
        sa.Column("http_body_bytes", sa.BigInteger),
        *_maybe_text("http_body_sha256"),
    ]


def upgrade() -> None:
    """Add the columns and fill them."""
    if op.get_bind().dialect.name == "sqlite":
        _remake()
    else:
        _widen()


def _remake() -> None:
    """In SQLite as a table made anew: what is big stays last, where small columns are read without
    it."""
    for name in ("by_started_at", "by_cycle", "of_controls_by_started_at"):
        op.drop_index(f"measurement_{name}", "measurement")
    op.rename_table("measurement", "before")
    op.create_table(
        "measurement",
        *(*_before(), *_shown(), sa.Column("observations", sa.LargeBinary, nullable=False)),
        sa.PrimaryKeyConstraint(*_KEY, name="measurement_pk"),
    )
    bind = op.get_bind()
    names = [*(column.name for column in _before()), "observations"]
    marks = ", ".join("?" * (len(names) + len(_SHOWN)))
    insert = f"INSERT INTO measurement ({', '.join((*names, *_SHOWN))}) VALUES ({marks})"  # noqa: S608 # names above
    rows = bind.exec_driver_sql(f"SELECT {', '.join(names)} FROM before ORDER BY rowid")  # noqa: S608 # names above
    reached = names.index("reached")
    while some := rows.fetchmany(_AT_ONCE):
        bind.exec_driver_sql(
            insert, [(*row, *_seen(row[-1], reached=bool(row[reached]))) for row in some]
        )
    op.drop_table("before")
    op.create_index("measurement_by_started_at", "measurement", ["started_at"])
    op.create_index("measurement_by_cycle", "measurement", ["cycle"])
    op.create_index(
        "measurement_of_controls_by_started_at",
        "measurement",
        ["started_at"],
        sqlite_where=sa.text("vantage_role = 'control'"),
    )


def _widen() -> None:
    for column in _shown():
        column.nullable = True
        op.add_column("measurement", column)
    names = (*_KEY, "reached", "observations", *_SHOWN)
    table = sa.table("measurement", *(sa.column(name) for name in names))
    key = [table.c[name] for name in _KEY]
    query = sa.select(*key, table.c.reached, table.c.observations).order_by(*key).limit(_AT_ONCE)
    write = (
        sa.update(table)
        .where(*(table.c[name] == sa.bindparam(f"of_{name}") for name in _KEY))
        .values({name: sa.bindparam(f"new_{name}") for name in _SHOWN})
    )
    bind = op.get_bind()
    after: Sequence[Any] | None = None
    while some := bind.execute(
        query if after is None else query.where(sa.tuple_(*key) > sa.tuple_(*after))
    ).fetchall():
        given = (*(f"of_{name}" for name in _KEY), *(f"new_{name}" for name in _SHOWN))
        bind.execute(
            write,
            [
                dict(zip(given, (*row[:3], *_seen(row[4], reached=row[3])), strict=True))
                for row in some
            ],
        )
        after = some[-1][:3]
    for name in _LISTS:
        op.alter_column("measurement", name, nullable=False)


def _seen(packed: bytes, *, reached: bool) -> tuple[Any, ...]:
    """The new cells, from the observations of a look."""
    try:
        looked = [one for one in msgspec.json.decode(zlib.decompress(packed)) if _own(one)]
        return _cells(looked, reached=reached)
    except (ValueError, KeyError, TypeError, AttributeError, zlib.error):
        return ("", "", *(None for _ in _MORE))


def _own(one: dict[str, Any]) -> bool:
    """Whether it belongs to the look itself."""
    return not one.get("reason")


def _cells(looked: Sequence[dict[str, Any]], *, reached: bool) -> tuple[Any, ...]:
    lookups = [one for one in looked if one["layer"] == "dns"]
    answers = [answer for one in lookups for answer in one.get("answers", ())]
    tls = _deciding(looked, "tls", "server_name", reached=reached)
    http = _deciding(looked, "http", "url", reached=reached)
    answered = bool(http.get("status"))
    return (
        _carried(" ".join(dict.fromkeys(one["resolver"] for one in lookups))),
        _carried(" ".join(dict.fromkeys(at for one in answers for at in one.get("addresses", ())))),
        tls.get("chain_sha256") or None,
        _carried(http["url"]) if http else None,
        _carried(http.get("title", "")) if answered else None,
        http.get("body_length", 0) if answered else None,
        http.get("body_sha256", "") if answered else None,
    )


def _deciding(
    looked: Sequence[dict[str, Any]], layer: str, target: str, *, reached: bool
) -> dict[str, Any]:
    """What failed, else the last that worked; empty where nothing was seen."""
    seen = [one for one in looked if one["layer"] == layer]
    worked = [one for one in seen if one.get("failure") is None]
    if len(worked) < len(seen) and not (reached and worked):
        fine = {one[target] for one in worked}
        for one in seen:
            if one.get("failure") is not None and one[target] not in fine:
                return one
    return worked[-1] if worked else {}


def _carried(text: str) -> str:
    return text.replace("\0", r"\u0000")
