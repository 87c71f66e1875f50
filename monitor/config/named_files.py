"""Files and folders that a configuration names: each is read, or the error says what is wrong."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from monitor.analysis.judge.fingerprint import Fingerprint
from monitor.config.fingerprints import load_fingerprints
from monitor.config.toml_node import (
    Node,
    Shape,
    filled,
    optional,
    text,
)
from monitor.config.toml_problem import ConfigError
from monitor.keys.passwords import read_tokens, read_users

T = TypeVar("T")


@contextmanager
def named_file(node: Node, remedy: str = "") -> Iterator[Path]:
    """The path of the file that `node` names, for a block that reads it.

    An error in the block becomes a problem of `node`. `remedy` is for a file with other content;
    without it the text of the parser's ValueError is the remedy.
    """
    folder = node.document.folder
    path = folder / filled(node)
    try:
        yield path
    except FileNotFoundError:
        raise node.fail(f"a file that exists; looked for in {folder.absolute()}") from None
    except OSError as error:
        raise node.fail(f"a file that can be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise node.fail("a file of text in UTF-8") from None
    except ValueError as error:
        raise node.fail(remedy or str(error)) from None


def pem_file(node: Node) -> str:
    """The path of a file with at least one certificate."""
    from cryptography import x509  # most files name none

    wanted = "a PEM file: it must hold -----BEGIN CERTIFICATE----- and what follows it"
    with named_file(node, wanted) as path:
        x509.load_pem_x509_certificates(path.read_bytes())
    return str(path)


def mmdb_file(node: Node) -> str:
    """The path of a file in MaxMind's format."""
    from maxminddb import InvalidDatabaseError, open_database  # as above

    with named_file(node, "a file in MaxMind's format (.mmdb), unpacked") as path:
        try:
            open_database(str(path)).close()
        except InvalidDatabaseError as error:
            raise ValueError from error
    return str(path)


def fingerprint_file(node: Node) -> tuple[Fingerprint, ...]:
    """The fingerprints in a file, TOML or CSV."""
    try:
        return load_fingerprints(node.document.folder / filled(node))
    except ConfigError as error:
        first, more = error.problems[0], len(error.problems) - 1
        others = f" (and {more} more)" if more else ""
        raise node.fail(f"correct this: {first}{others}") from None


def _people(parse: Callable[[str], tuple[T, ...]], maker: str) -> Shape[tuple[T, ...]]:
    def read(node: Node) -> tuple[T, ...]:
        with named_file(node) as path:
            found = parse(path.read_text(encoding="utf-8-sig"))
        if not found:
            raise node.fail(f"a file with at least one line, such as {maker} writes")
        return found

    return optional(read, ())


users_file = _people(read_users, "`shutwatch password NAME`")
"""The users in a file; none for empty text."""
tokens_file = _people(read_tokens, "`openssl rand -hex 32`")
"""The digests of the tokens in a file; none for empty text."""


def existing_file(node: Node) -> Path:
    """The path of a file that exists."""
    with named_file(node) as path:
        if not path.is_file():
            raise FileNotFoundError
    return path


def optional_file(node: Node) -> str:
    """The path of a file that exists, or empty."""
    return str(existing_file(node)) if text(node) else ""


def folder(node: Node) -> str:
    """The path of a folder, which need not be there yet; relative to the file's own folder. Empty
    for none."""
    if not text(node):
        return ""
    path = node.document.folder / filled(node)
    try:
        file = path.exists() and not path.is_dir()
    except OSError as error:
        raise node.fail(f"a folder that can be read ({error.strerror})") from None
    if file:
        raise node.fail("a folder", wrong="is a file")
    return str(path)
