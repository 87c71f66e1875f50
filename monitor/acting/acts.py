"""A line of the audit log, and the error that refuses an act."""

from datetime import datetime

import uuid_utils

from storage.values.acts import Act, ActKind

COMMAND_LINE = ""
"""Who acts by the command line, where nobody signs in."""


class ActError(Exception):
    """An act that is refused; nothing was changed. The text says why, for whoever asked for it."""


def act_of(who: str, at: datetime, what: ActKind, target: str, detail: str = "") -> Act:
    """A new line, of that moment (UTC)."""
    return Act(id=str(uuid_utils.uuid7()), at=at, who=who, what=what, target=target, detail=detail)


def one_line(name: str, text: str, limit: int) -> str:
    """`text` without blanks around it. ActError when it is not one line of text."""
    found = text.strip()
    if not found or not found.isprintable():
        raise ActError(f"{name} must be one line of text")
    return within(name, found, limit)


def within(name: str, text: str, limit: int) -> str:
    """`text`. ActError when it has more than `limit` characters."""
    if len(text) > limit:
        raise ActError(f"{name}: {len(text)} characters, at most {limit} fit")
    return text
