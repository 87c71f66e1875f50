"""`[[vantage]]`: where measurements are made from, and how packets leave (`egress`)."""

from collections.abc import Sequence
from contextlib import suppress

from monitor.config.keys_by_table import VANTAGE, VANTAGE_REQUIRED
from monitor.config.toml_node import Invalid, Node, listed, read_table
from probes.vantage import VantagePoint, VantageRole


def read_vantages(node: Node) -> tuple[VantagePoint, ...]:
    """Every `[[vantage]]`. No id is there twice. One at least is a field vantage, except at a
    collector, whose agents measure, and at an agent, which may be a control.
    """
    if isinstance(node.raw, dict):
        raise node.fail("write [[vantage]], in double brackets", wrong="is in single brackets")
    entries = node.entries()
    _distinct_ids(entries)
    root = node.document.root.raw
    anywhere = "collector" in root or "agent" in root
    if not anywhere and not any(_may_be_field(entry) for entry in entries):
        raise node.fail(
            'add a vantage with role = "field" in the country you measure',
            wrong="has no vantage where blocking may happen",
        )
    return listed(_vantage, distinct=False)(node)


def _vantage(node: Node) -> VantagePoint:
    """One `[[vantage]]`."""
    return VantagePoint(**read_table(node, VANTAGE, required=VANTAGE_REQUIRED))


def _distinct_ids(entries: Sequence[Node]) -> None:
    """Note every id that an earlier vantage has."""
    seen: dict[str, Node] = {}
    for entry in entries:
        with suppress(Invalid):
            node = entry.table().get("id")
            if node is None:
                continue
            earlier = seen.setdefault(VANTAGE["id"](node), entry)
            if earlier is not entry:
                raise node.fail(f"another name: {earlier.key} has this one already")


def _may_be_field(entry: Node) -> bool:
    """False only for a control: a wrong value has its own problem."""
    return not isinstance(entry.raw, dict) or entry.raw.get("role") != VantageRole.CONTROL
