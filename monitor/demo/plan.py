"""The demonstration's networks, platforms, hosts and addresses. Values only.

The country, its networks and their numbers are invented: a demonstration with real ones would
accuse them. AS numbers are reserved for documentation (RFC 5398), and names end in `.test`, which
nobody can register (RFC 6761). Addresses are loopback addresses; Linux has sixteen million.
"""

from collections.abc import Mapping

import msgspec

COUNTRY, ELSEWHERE = "XD", "XE"
LOOPBACK = "127.84.0.0/16"
"""The network of all servers and vantages."""
_PREFIX = LOOPBACK.partition(".0.0/")[0]


class DemoNetwork(msgspec.Struct, frozen=True, kw_only=True):
    """A provider's network, with one vantage in it."""

    id: str
    """Id of the vantage."""
    number: int
    asn: int
    title: str
    control: bool = False

    @property
    def client(self) -> str:
        """Source address of the vantage; servers tell the network by it."""
        return f"{_PREFIX}.{self.number}.2"

    @property
    def resolver(self) -> str:
        """Address of the provider's resolver."""
        return f"{_PREFIX}.{self.number}.53"


TELECOM = DemoNetwork(id="demo-telecom", number=1, asn=64496, title="Demo Telecom")
MOBILE = DemoNetwork(id="demo-mobile", number=2, asn=64497, title="Demo Mobile")
CABLE = DemoNetwork(id="demo-cable", number=3, asn=64498, title="Demo Cable")
FIELD = (TELECOM, MOBILE, CABLE)
CONTROLS = (
    DemoNetwork(id="control-one", number=8, asn=64505, title="Demo Hosting One", control=True),
    DemoNetwork(id="control-two", number=9, asn=64506, title="Demo Hosting Two", control=True),
)
NETWORKS = (*FIELD, *CONTROLS)
BY_CLIENT: Mapping[str, DemoNetwork] = {network.client: network for network in NETWORKS}

PLATFORMS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "x": {
        "web": ("https://x.test/", "https://twitter.test/"),
        "app": ("https://api.x.test/",),
        "pictures": ("https://pictures.x.test/",),
        "video": ("https://video.x.test/",),
        "scripts": ("https://scripts.x.test/",),
        "links": ("https://links.x.test/",),
    },
    "whatsapp": {
        "chat": ("tls://chat.whatsapp.test",),
        "registration": ("https://register.whatsapp.test/",),
        "web": ("https://web.whatsapp.test/",),
        "media": ("tls://media.whatsapp.test",),
        "links": ("tls://links.whatsapp.test",),
    },
    "youtube": {
        "web": ("https://www.youtube.test/",),
        "links": ("https://links.youtube.test/",),
        "app": ("https://api.youtube.test/",),
        "video": ("https://video.youtube.test/",),
        "pictures": ("https://pictures.youtube.test/",),
    },
}
"""Platform → function → endpoints, without ports: all that the shipped catalogue has of them."""
VICTIM = "x"

PORTAL = "portal.test"
"""Answers in cleartext, to every network alike."""
PORTAL_PATH, PORTAL_WORD = "/success.txt", "success"
INTERNATIONAL = ("encyclopedia.test", "network.test", "static.test")
DOMESTIC = ("government.test", "newspaper.test")


def host_of(endpoint: str) -> str:
    """The host of an endpoint as written above."""
    return endpoint.partition("://")[2].partition("/")[0]


def hosts_of(platform: str) -> tuple[str, ...]:
    """Every host of a platform."""
    return tuple(host_of(one) for function in PLATFORMS[platform].values() for one in function)


_HOSTS = (
    *(host for platform in PLATFORMS for host in hosts_of(platform)),
    *(PORTAL, *INTERNATIONAL, *DOMESTIC),
)
ADDRESSES: Mapping[str, str] = {
    host: f"{_PREFIX}.100.{number}" for number, host in enumerate(_HOSTS, start=1)
}
"""Host → its one address."""
BLOCK_PAGE = f"{_PREFIX}.200.1"
"""The address in false DNS answers."""
PHONE = f"{_PREFIX}.250.1"
"""The address that receives notifications."""


class Ports(msgspec.Struct, frozen=True, kw_only=True):
    """The ports that all addresses of the demonstration listen on."""

    tls: int
    http: int
    dns: int
    messages: int
