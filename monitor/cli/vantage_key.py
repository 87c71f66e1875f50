"""An agent's public key as people give it: the text itself, a file, or standard input."""

import sys
from pathlib import Path

from monitor.keys.keys import is_public
from monitor.wording.visible_text import visible

STANDARD_INPUT = "-"
_LENGTH = 44
"""Characters of a key."""
_LARGEST = 64 * 1024
"""Bytes of a file that are read."""


def public_key(given: str) -> str:
    """The public key in `given`, base64 of its 32 bytes.

    Raises ValueError that says where the fault is, and what a key looks like.
    """
    if is_public(given):
        return given
    if given == STANDARD_INPUT:
        return _only_key(sys.stdin.read(_LARGEST), "standard input")
    try:
        with Path(given).open("rb") as file:
            content = file.read(_LARGEST)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{visible(given)!r} is neither a public key ({_LENGTH} characters, as `shutwatch "
            "agent key` prints it) nor a file that can be read"
        ) from error
    return _only_key(content.decode("utf-8", "replace"), given)


def _only_key(content: str, where: str) -> str:
    if "PRIVATE KEY" in content:
        raise ValueError(
            f"{where} holds a private key, which must never leave the agent: enroll the public "
            "key, as `shutwatch agent key` prints it there; if somebody sent you this file, let "
            "them make a new key"
        )
    found = {word for word in content.split() if is_public(word)}
    if len(found) != 1:
        many = "more than one public key" if found else "no public key"
        raise ValueError(
            f"{where} holds {many}: give one key of {_LENGTH} characters, as `shutwatch agent key` "
            "prints it"
        )
    return found.pop()
