"""`[agent]`: where an agent sends its measurements, read from the configuration file.

A proxy's address may hold a password, so no problem repeats it.
"""

from monitor.config.durations_and_sizes import size
from monitor.config.loopback import is_unspecified
from monitor.config.named_files import pem_file
from monitor.config.settings import AgentSetup
from monitor.config.toml_node import (
    Node,
    Shapes,
    filled,
    flag,
    listed,
    optional,
    parsed,
    read_table,
    text,
)
from monitor.config.urls_and_addresses import split_url
from monitor.keys.keys import is_fingerprint, is_public

_REQUIRED = {
    "collectors": 'say where to send to: collectors = ["https://collector.example.org"]',
    "collector_key": "the collectors' public key, as the operator gave it to you",
    "sealing_key": "the key to seal batches to, as the operator gave it to you",
}


def read_agent(node: Node) -> AgentSetup:
    """`[agent]`. Raises Invalid."""
    values = read_table(node, AGENT, required=_REQUIRED)
    if not values["collectors"]:
        raise node.table()["collectors"].fail("one collector at least")
    return AgentSetup(**values)


def check_agent_file(root: Node) -> None:
    """Note an agent's file that is a collector's too, or has more than the one vantage of its key.

    Raises Invalid.
    """
    if "collector" in root.raw:
        raise root.table()["collector"].fail(
            "give the collector its own file", wrong="cannot be in one file with [agent]"
        )
    vantages = root.raw.get("vantage")
    if isinstance(vantages, list) and len(vantages) > 1:
        raise root.table()["vantage"].fail(
            "an agent is one vantage: keep one [[vantage]], and set up an agent for each other one",
            wrong=f"has {len(vantages)} entries",
        )


def _origin(written: str) -> str:
    found = split_url(written, ("https",))
    more = found and (found.path.strip("/") or found.query or found.fragment)
    if found is None or more or "@" in found.netloc or not written.isascii():
        raise ValueError('https:// and a name, as in "https://collector.example.org"')
    if is_unspecified(found.hostname or ""):
        raise ValueError(f"an address or name that agents reach, not {found.hostname}")
    return f"https://{found.netloc.lower()}"


def _public_key(node: Node) -> str:
    value = text(node)
    if not is_public(value):
        raise node.fail("the public key of 44 characters that the operator gave you")
    return value


def _fingerprint(written: str) -> str:
    bare = "".join(written.replace(":", "").split()).lower()
    if not is_fingerprint(bare):
        raise ValueError("the fingerprint of an offline key: 64 hexadecimal digits")
    return bare


def proxy_url(written: str) -> str:
    """The URL of a proxy to send through. Raises ValueError, which says how to write one."""
    found = split_url(written, ("http", "https", "socks5"))
    if found is None or not found.port or not written.isascii():
        raise ValueError(
            '"http://host:port", "https://host:port" or "socks5://host:port", with '
            "user:password@ before the host where that is needed"
        )
    return written.rstrip("/")


origin = parsed(_origin)
"""Where agents reach a collector: `https://` and a host."""

AGENT: Shapes = {
    "collectors": listed(origin),
    "collector_key": _public_key,
    "sealing_key": _public_key,
    "catalog_keys": listed(parsed(_fingerprint)),
    "addresses_of_controls": flag,
    "key": filled,
    "spool": filled,
    "spool_limit": size("1MB", "100GB"),
    "proxy": optional(parsed(proxy_url), ""),
    "trust_anchors": listed(pem_file),
}
"""`[agent]`."""
