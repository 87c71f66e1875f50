"""An agent's public key as people hand it over: the text itself, a file, or standard input."""

import sys
from pathlib import Path

from monitor.keys.keys import fingerprint
from monitor.wording.plain import visible

STANDARD_INPUT = "-"
_LENGTH = 44
"""Characters of a key."""
_MOST = 64 * 1024
"""Bytes of a file that are read."""


class NoKeyError(Exception):
    """It is no key; the message says what it is, where, and what would be one."""


def public_key(given: str) -> str:
    """The public key in `given`, base64 of its 32 bytes. Raises NoKeyError."""
    if is_key(given):
        return given
    if given == STANDARD_INPUT:
        return _only_key(sys.stdin.read(_MOST), "standard input")
    try:
        with Path(given).open("rb") as file:
            content = file.read(_MOST)
    except (OSError, ValueError) as error:
        raise NoKeyError(
            f"{visible(given)!r} is neither a public key ({_LENGTH} characters, as `shutwatch "
            "agent key` prints it) nor a file that can be read"
        ) from error
    return _only_key(content.decode("utf-8", "replace"), given)


def is_key(text: str) -> bool:
    """Whether it is a public key in the one form there is."""
    try:
        fingerprint(text)
    except ValueError:
        return False
    return True


def _only_key(content: str, where: str) -> str:
    if "PRIVATE KEY" in content:
        raise NoKeyError(
            f"{where} holds a private key, which must never leave the agent: enrol the public "
            "half, as `shutwatch agent key` prints it there; if this was sent to you, have a new "
            "key made"
        )
    found = {word for word in content.split() if is_key(word)}
    if len(found) != 1:
        many = "more than one public key" if found else "no public key"
        raise NoKeyError(
            f"{where} holds {many}: one is wanted, {_LENGTH} characters, as `shutwatch agent key` "
            "prints it"
        )
    return found.pop()
