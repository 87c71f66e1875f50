"""`[agent]`: to whom an agent hands in what it saw, read from the configuration file.

A proxy's address may hold a password: no problem repeats it.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from monitor.config.settings import AgentSetup
from monitor.config.toml_node import Node, Shape, filled, listed, read_table, text
from monitor.config.values import pem_file, size
from monitor.keys.keys import is_public

AGENT_REQUIRED = {
    "collectors": 'say whom to hand in to: collectors = ["https://collector.example.org"]',
    "collector_key": "the collectors' public key, as the operator gave it to you",
}
_PROXIES = ("http", "https", "socks5")


def agent_shapes(folder: Path) -> Mapping[str, Shape[Any]]:
    """`[agent]`; names of files are relative to `folder`."""
    return {
        "collectors": listed(_collector),
        "collector_key": _public_key,
        "key": filled,
        "spool": filled,
        "spool_limit": size("1MB", "100GB"),
        "proxy": _proxy,
        "trust_anchors": listed(pem_file(folder)),
    }


def read_agent(node: Node, folder: Path, elsewhere: Mapping[str, str]) -> AgentSetup:
    """`[agent]`. Raises Invalid."""
    values = read_table(node, agent_shapes(folder), required=AGENT_REQUIRED, elsewhere=elsewhere)
    if not values["collectors"]:
        raise node.table()["collectors"].fail("one collector at least")
    return AgentSetup(**values)


def suits_an_agent(root: Node) -> None:
    """Note where an agent's file has more than the one vantage that its key speaks for, or makes
    a collector of it."""
    if "collector" in root.raw:
        raise root.table()["collector"].fail(
            "give the collector a file of its own", wrong="makes no sense beside [agent]"
        )
    vantages = root.raw.get("vantage")
    if isinstance(vantages, list) and len(vantages) > 1:
        raise root.table()["vantage"].fail(
            "an agent is one vantage: keep one [[vantage]], and make an agent of each other",
            wrong=f"has {len(vantages)} entries",
        )


def _collector(node: Node) -> str:
    return node.parsed(_origin)


def _origin(written: str) -> str:
    found = urlsplit(written)
    try:
        right = found.scheme == "https" and found.hostname and found.port != 0
    except ValueError:
        right = False
    more = found.path.strip("/") or found.query or found.fragment or "@" in found.netloc
    if not right or more or not written.isascii() or " " in written:
        raise ValueError('https:// and a name, as in "https://collector.example.org"')
    return f"https://{found.netloc.lower()}"


def _public_key(node: Node) -> str:
    value = text(node)
    if not is_public(value):
        raise node.fail("the public key of 44 characters that the operator gave you")
    return value


def _proxy(node: Node) -> str:
    value = text(node)
    return node.parsed(_proxy_url) if value else ""


def _proxy_url(written: str) -> str:
    found = urlsplit(written)
    try:
        right = found.scheme in _PROXIES and found.hostname and found.port
    except ValueError:
        right = False
    if not right or " " in written or not written.isascii():
        raise ValueError(
            '"http://host:port", "https://host:port" or "socks5://host:port", with '
            "user:password@ before the host where that is needed"
        )
    return written.rstrip("/")
