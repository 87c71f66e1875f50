"""The ids of vantages."""

import re

from monitor.config.toml_node import (
    Node,
    text,
)

_ID = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_LONGEST_ID = 63


def is_vantage_id(value: str) -> bool:
    """Whether it can be a vantage's id: lower-case letters, digits and single dashes."""
    return bool(_ID.fullmatch(value)) and len(value) <= _LONGEST_ID


def vantage_id(node: Node) -> str:
    """A vantage's id: lower-case letters, digits and single dashes."""
    value = text(node)
    if not is_vantage_id(value):
        usable = re.sub(r"[^a-z0-9]+", "-", value.lower()).strip("-")[:_LONGEST_ID].strip("-")
        hint = f', such as "{usable}"' if usable and not node.given_by_environment else ""
        raise node.fail(f"lower-case letters, digits and single dashes{hint}")
    return value
