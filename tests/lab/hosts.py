"""What answers in the lab's internet: every host a shipped catalogue may name, and references."""

import json
from collections.abc import Iterator, Mapping

import msgspec

from monitor.config.catalog import shipped_catalog
from probes.catalog.host import is_literal
from probes.measure.follow_up import ADVERTISERS

SIGNAL = "Signal's own"
"""Organisation of the authority that signs certificates of Signal in the lab."""
BLOCK_PAGE = ("203.0.113.80", "2001:db8:c0::80")
"""A web server that answers any name with a block page."""
TRANSPARENT_PROXY = ("203.0.113.82", "2001:db8:c0::82")
PRIVATE_CACHE = ("10.77.0.9",)
"""Another one at a private address, as a provider's cache of a platform may be."""
"""Leads whoever connects on to the host asked for, by SNI or Host."""


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP answer."""

    status: int = 200
    headers: Mapping[str, str] = {}
    body: str = ""


class LabHost(msgspec.Struct, frozen=True, kw_only=True):
    """One name and what its servers do."""

    name: str
    raw: bool = False
    """True: accepts connections on `ports` and speaks no TLS or HTTP."""
    speaks: str = ""
    """What a raw host speaks: mtproto, noise; empty for nothing at all."""
    stun: bool = False
    """True: answers STUN binding requests on UDP ports 3478 and 19302."""
    ntp: bool = False
    """True: answers NTP requests on UDP port 123."""
    quic: bool = False
    """True: in a lab with QUIC it speaks HTTP/3 as well, and says so in Alt-Svc."""
    ports: tuple[int, ...] = (443, 80)
    country: str = ""
    """Empty for foreign hosts."""
    addresses: int = 1
    """How many addresses of each family."""
    families: tuple[int, ...] = (4, 6)
    """Which families it has addresses of."""
    rotate: int = 0
    """How many addresses of a family each DNS answer holds, others every time; 0: all."""
    literal: tuple[str, ...] = ()
    """Given addresses, for services known by address."""
    https: Mapping[str, Page] = {}
    """Page by path; "" answers every other path."""
    http: Mapping[str, Page] = {}
    """The same on port 80; without any, a redirect to https."""
    cname: str = ""
    doh: bool = False
    """True: answers DNS questions on /dns-query."""
    own_ca: str = ""
    """Organisation of the authority that signs its certificate; empty: the one trusted here."""
    group: str = ""
    """Hosts of one group also hold each other's certificates, as edges of one owner do."""


def web_page(title: str, size: int = 32 * 1024) -> str:
    """An HTML page of about `size` characters, mostly words, as a start page is."""
    words = " ".join(f"{title.split()[0].lower()} item {number}" for number in range(40))
    paragraph = f"<p>{words}</p>\n"
    body = paragraph * (size // len(paragraph) + 1)
    head = f"<!doctype html>\n<html><head><title>{title}</title></head>\n"
    return f"{head}<body>\n{body}</body></html>\n"


def moved(to: str, status: int = 301) -> Page:
    """A redirect, also to where no URL can lead."""
    return Page(status=status, headers={"Location": to})


def challenge() -> Page:
    """What a bot protection shows to those it does not trust, controls in datacentres above all."""
    return Page(
        status=403,
        headers={
            "Content-Type": "text/html; charset=UTF-8",
            "Server": "cloudflare",
            "CF-RAY": "8f2b6c1d9e0a4b7c-FRA",
            "cf-mitigated": "challenge",
            "Cache-Control": "private, max-age=0, no-store",
        },
        body="<!DOCTYPE html><html><head><title>Just a moment...</title></head><body>"
        "<noscript>Enable JavaScript and cookies to continue</noscript></body></html>\n",
    )


QUIC_GROUPS = ("x", "meta", "google")
"""Whose sites speak HTTP/3."""


def _site(name: str, title: str, group: str, **more: object) -> LabHost:
    page = Page(headers={"Content-Type": "text/html; charset=utf-8"}, body=web_page(title))
    host = LabHost(name=name, group=group, https={"": page}, quic=group in QUIC_GROUPS)
    return msgspec.structs.replace(host, **more)


def _small(name: str, group: str, status: int = 200, **more: object) -> LabHost:
    body = json.dumps({"host": name, "status": status})
    page = Page(status=status, headers={"Content-Type": "application/json"}, body=body)
    host = LabHost(name=name, group=group, https={"": page}, quic=group in QUIC_GROUPS)
    return msgspec.structs.replace(host, **more)


def _moved(name: str, to: str, group: str, status: int = 301) -> LabHost:
    return LabHost(name=name, group=group, https={"": moved(to, status)}, quic=group in QUIC_GROUPS)


def _raw(name: str, group: str, *literal: str, ports: tuple[int, ...], speaks: str = "") -> LabHost:
    return LabHost(name=name, group=group, raw=True, literal=literal, ports=ports, speaks=speaks)


TELEGRAM_DATA_CENTRES = (
    "149.154.175.50",
    "149.154.175.53",
    "149.154.167.51",
    "149.154.167.91",
    "149.154.167.92",
    "149.154.175.100",
    "91.108.56.130",
    "149.154.171.5",
    "95.161.76.100",
    "2001:67c:4e8:f002::a",
    "2001:b28:f23d:f001::a",
    "2001:b28:f23d:f003::a",
    "2001:67c:4e8:f004::a",
    "2001:b28:f23f:f005::a",
)

TELEGRAM_MEDIA = (
    *("149.154.167.151", "149.154.164.250"),
    *("2001:67c:4e8:f002::b", "2001:67c:4e8:f004::b"),
)

_NO_CONTENT = Page(status=204)

PLATFORMS: tuple[LabHost, ...] = (
    _site("x.com", "X. It's what's happening", "x", addresses=2),
    _moved("twitter.com", "https://x.com/", "x"),
    *(_small(name, "x") for name in ("api.x.com", "api.twitter.com", "t.co")),
    *(_small(f"{name}.twimg.com", "x") for name in ("abs", "pbs", "video")),
    _site("www.facebook.com", "Facebook – log in", "meta", cname="star-mini.c10r.facebook.com"),
    _site("m.facebook.com", "Facebook mobile", "meta"),
    _small("graph.facebook.com", "meta", 400),
    _small("b-graph.facebook.com", "meta", 400),
    *(_small(f"{name}.xx.fbcdn.net", "meta") for name in ("static", "scontent")),
    *(_small(f"{name}.facebook.com", "meta") for name in ("edge-mqtt", "edge-chat", "b-api")),
    _site("www.messenger.com", "Messenger", "meta"),
    LabHost(name="stun.fbsbx.com", group="meta", raw=True, ports=(), stun=True),
    _site("www.instagram.com", "Instagram", "meta"),
    _small("i.instagram.com", "meta"),
    *(_small(f"{name}.cdninstagram.com", "meta") for name in ("static", "scontent")),
    _site("www.threads.com", "Threads", "meta"),
    _moved("www.threads.net", "https://www.threads.com/", "meta"),
    _site("www.meta.com", "Meta Store", "meta"),
    _site("about.meta.com", "About Meta", "meta"),
    *(
        _raw(f"{name}.whatsapp.net", "meta", ports=(443, 5222), speaks="noise")
        for name in (*(f"e{number}" for number in range(1, 17)), "g")
    ),
    _small("v.whatsapp.net", "meta"),
    _site("web.whatsapp.com", "WhatsApp Web", "meta"),
    *(_small(f"{name}.whatsapp.net", "meta") for name in ("mmg", "mmg-fallback", "static")),
    _small("wa.me", "meta"),
    *(
        msgspec.structs.replace(site, https={**site.https, "/generate_204": _NO_CONTENT})
        for site in (
            _site("www.youtube.com", "YouTube", "google", addresses=2),
            _site("m.youtube.com", "YouTube mobile", "google"),
        )
    ),
    _moved("youtu.be", "https://www.youtube.com/", "google", 303),
    *(
        _small(name, "google")
        for name in ("youtubei.googleapis.com", "redirector.googlevideo.com", "i.ytimg.com")
    ),
    _site("www.tiktok.com", "TikTok – make your day", "bytedance"),
    *(
        _small(name, "bytedance")
        for name in (
            "vm.tiktok.com",
            *(
                f"api16-normal-c-{region}.tiktokv.com"
                for region in ("useast1a", "useast2a", "alisg")
            ),
            "p16-sign-va.tiktokcdn.com",
            "sf16-website-login.neutral.ttwstatic.com",
            "v16-webapp-prime.tiktok.com",
            "v16m.tiktokcdn.com",
        )
    ),
    _raw(
        "telegram-dc.lab",
        "telegram",
        *TELEGRAM_DATA_CENTRES,
        ports=(443, 80, 5222),
        speaks="mtproto",
    ),
    _raw("telegram-media.lab", "telegram", *TELEGRAM_MEDIA, ports=(443,), speaks="mtproto"),
    _site("web.telegram.org", "Telegram Web", "telegram"),
    _moved("t.me", "https://telegram.org/", "telegram", 302),
    _site("telegram.org", "Telegram Messenger", "telegram"),
    _small("api.telegram.org", "telegram"),
    *(
        _small(f"{name}.signal.org", "signal", 404, own_ca=SIGNAL)
        for name in ("chat", "storage", "cdsi", "sfu.voip", "cdn", "cdn2", "cdn3")
    ),
)

_HTML = {"Content-Type": "text/html"}
_SUCCESS = "<HTML><HEAD><TITLE>Success</TITLE></HEAD><BODY>Success</BODY></HTML>"

REFERENCES: tuple[LabHost, ...] = (
    LabHost(
        name="captive.apple.com",
        http={"/hotspot-detect.html": Page(headers=_HTML, body=_SUCCESS)},
    ),
    LabHost(
        name="detectportal.firefox.com",
        http={"/success.txt": Page(headers={"Content-Type": "text/plain"}, body="success\n")},
    ),
    LabHost(
        name="connectivitycheck.gstatic.com",
        http={"/generate_204": _NO_CONTENT},
        https={"/generate_204": _NO_CONTENT},
    ),
    _site("www.wikipedia.org", "Wikipedia", "wikimedia"),
    _site("www.cloudflare.com", "Cloudflare", "cloudflare"),
    _site("www.gstatic.com", "Static", "google"),
    _site("www.google.com", "Google", "google"),
    _site("www.example.com", "Example Domain", "iana"),
    _small(ADVERTISERS, "google", 404),
    *(
        _small(name, "doh", 404, doh=True, ports=(443, 80, 853))
        for name in ("dns.google", "cloudflare-dns.com", "dns.quad9.net")
    ),
    _small("one.one.one.one", "doh", 404, ports=(443, 80, 853)),
    *(
        LabHost(name=name, raw=True, ports=(), stun=True)
        for name in ("stun.cloudflare.com", "stun.l.google.com")
    ),
    *(
        LabHost(name=name, raw=True, ports=(), ntp=True)
        for name in ("time.cloudflare.com", "time.google.com")
    ),
    _site("www.pta.gov.pk", "Pakistan Telecommunication Authority", "pta", country="PK"),
    _site("www.dawn.com", "Dawn – breaking news", "dawn", country="PK"),
    _site("www.gov.br", "Governo do Brasil", "govbr", country="BR"),
    _site("www.uol.com.br", "UOL – o melhor conteúdo", "uol", country="BR"),
)

BLOCK_PAGE_HOST = "blocked.isp.example"
PORTAL = "portal.isp.example"
_STOP = Page(
    status=403,
    headers={"Content-Type": "text/html"},
    body="<html><head><title>Access denied</title></head><body>Blocked by order.</body></html>\n",
)
PROVIDER: tuple[LabHost, ...] = (
    LabHost(
        name=BLOCK_PAGE_HOST,
        literal=BLOCK_PAGE,
        http={"": _STOP},
        https={"": _STOP},
        own_ca="National Gateway",
    ),
    LabHost(name=PORTAL, literal=BLOCK_PAGE, ports=()),
)

_WRITTEN = (*PLATFORMS, *REFERENCES, *PROVIDER)


def _unwritten() -> Iterator[LabHost]:
    """The hosts of the shipped catalogue that have no story of their own above, but for references
    of countries."""
    written = {host.name for host in _WRITTEN}
    for platform in shipped_catalog().platforms:
        for name in dict.fromkeys(
            endpoint.host for function in platform.functions for endpoint in function.endpoints
        ):
            if name not in written and not is_literal(name):
                yield _small(name, platform.name)
    for reference in shipped_catalog().references:
        name = reference.endpoint.host
        if name not in written and not reference.country:
            literal = (name,) if is_literal(name) else ()
            yield _site(name, name, f"owner of {name}", literal=literal)


ALL: tuple[LabHost, ...] = (*_WRITTEN, *_unwritten())


def domestic(country: str) -> Iterator[LabHost]:
    """The hosts of the shipped references of a country, where none of ALL is one."""
    known = {host.name for host in ALL}
    for reference in shipped_catalog().references:
        name = reference.endpoint.host
        if country and reference.country == country and name not in known:
            yield _site(name, name, f"owner of {name}", country=country)


GHOST = "ghost.example.org"
"""A name that nobody knows any more: only catalogues and censors do."""
LEGAL = Page(
    status=451,
    headers={
        "Content-Type": "text/html",
        "Link": '<https://spqr.example.org/legislatione>; rel="blocked-by"',
    },
    body="<html><head><title>Unavailable For Legal Reasons</title></head></html>\n",
)
FAR_HOPS = 12
"""Redirects of short.example.org/far until a page comes; /round never ends."""
_SHORT = {
    "": moved("https://landing.example.org/"),
    "/plain": moved("http://landing.example.org/"),
    "/broken": moved("https://"),
    "/round": moved("https://short.example.org/round"),
    "/far": moved("/far/1"),
    **{f"/far/{hop}": moved(f"/far/{hop + 1}", 302) for hop in range(1, FAR_HOPS)},
    f"/far/{FAR_HOPS}": Page(body=web_page("Arrived")),
}
ODD: tuple[LabHost, ...] = (
    LabHost(name="short.example.org", https=_SHORT, http=_SHORT),
    _site("landing.example.org", "Landing", "", http={"": Page(body=web_page("Landing"))}),
    _site("xn--bcher-kva.example.org", "Bücher", ""),
    _site("v4only.example.org", "Old internet", "", families=(4,)),
    _site("v6only.example.org", "New internet", "", families=(6,)),
    _site("many.example.org", "Many edges", "", addresses=12, rotate=3),
    _site("legal.example.org", "Legal", "", https={"": LEGAL}, http={"": LEGAL}),
    LabHost(
        name="big.example.org",
        https={"": Page(headers=_HTML, body=web_page("Large", 2 * 1024 * 1024))},
    ),
    LabHost(name="localhost.example.org", literal=("127.0.0.1", "::1"), ports=()),
)
"""Hosts of unusual stories, for `Lab(more_hosts=hosts.ODD)`."""

DOMESTIC = {"PK": ("www.pta.gov.pk", "www.dawn.com"), "BR": ("www.gov.br", "www.uol.com.br")}
"""Names that prove domestic reach."""
