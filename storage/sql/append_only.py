"""Tables whose rows the database itself refuses to change or delete."""

from collections.abc import Iterator

_FUNCTION = """
CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$
"""


def refusal(table: str, dialect: str) -> Iterator[str]:
    """Statements that make a table refuse, by the dialect's name."""
    if dialect == "sqlite":
        for verb in ("update", "delete"):
            yield (
                f"CREATE TRIGGER {table}_refuses_{verb} BEFORE {verb.upper()} "
                f"ON {table} BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            )
        return
    yield _FUNCTION
    for verb in ("update", "delete", "truncate"):
        # For each statement, not row: also one that would have hit no row is a mistake.
        yield (
            f"CREATE TRIGGER {table}_refuses_{verb} BEFORE {verb.upper()} ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
