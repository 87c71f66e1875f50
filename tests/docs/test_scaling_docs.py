"""docs/scaling.md: what it says of keys holds of the tables."""

import re
from pathlib import Path

from storage.sql.schema import metadata

TEXT = Path(__file__).parents[2].joinpath("docs/scaling.md").read_text("utf-8")


def _named(sentence: str) -> set[str]:
    """The tables that a part of the text names, those with an ellipsis by their beginnings."""
    found = set()
    for name in re.findall(r"`([a-z_]+…?)`", sentence):
        begins = name.removesuffix("…")
        found |= {
            table
            for table in metadata.tables
            if table == name or (name != begins and table.startswith(begins))
        }
    return found


def _between(first: str, last: str) -> str:
    return TEXT[TEXT.index(first) : TEXT.index(last)]


def test_distributed_tables_begin_with_the_country() -> None:
    """Primary and foreign keys of every table that is to be distributed begin with the country."""
    named = _named(_between("likewise for", "colocated")) | {"measurement"}
    assert len(named) > 10
    for name in named:
        table = metadata.tables[name]
        assert next(iter(table.primary_key.columns)).name == "country", name
        for foreign in table.foreign_key_constraints:
            assert foreign.column_keys[0] == "country", name
            assert foreign.referred_table.name in named, name


def test_every_table_has_its_place() -> None:
    """No table was forgotten."""
    distributed = _named(_between("likewise for", "colocated")) | {"measurement"}
    others = _named(_between("colocated", "A country's rows"))
    assert distributed | others == set(metadata.tables)
    assert not distributed & others
