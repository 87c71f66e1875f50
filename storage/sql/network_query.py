"""A question about the networks of an event, which each database spells in its own way."""

from typing import Any

from sqlalchemy import Boolean
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction


class network_blocked(GenericFunction[bool]):  # noqa: N801 # as SQL writes functions
    """Whether the network of an AS number blocked at some time: of `networks`, the JSON of an
    event's networks, and the number."""

    type = Boolean()
    inherit_cache = True


@compiles(network_blocked, "sqlite")
def _sqlite(element: Any, compiler: Any, **how: Any) -> str:
    networks, asn = (compiler.process(clause, **how) for clause in element.clauses)
    return (
        f"EXISTS (SELECT 1 FROM json_each({networks}) AS network "  # noqa: S608 # compiled
        f"WHERE json_extract(network.value, '$.asn') = {asn} "
        "AND json_extract(network.value, '$.affected') = 1)"
    )


@compiles(network_blocked, "postgresql")
def _postgresql(element: Any, compiler: Any, **how: Any) -> str:
    networks, asn = (compiler.process(clause, **how) for clause in element.clauses)
    # Compared as JSON's own text: names beside the number may hold \u0000, at which PostgreSQL
    # would stop if it had to read them.
    return (
        f"EXISTS (SELECT 1 FROM json_array_elements(({networks})::json) "  # noqa: S608 # compiled
        f"AS network(value) WHERE CAST(network.value -> 'asn' AS TEXT) = CAST({asn} AS TEXT) "
        "AND CAST(network.value -> 'affected' AS TEXT) = 'true')"
    )
