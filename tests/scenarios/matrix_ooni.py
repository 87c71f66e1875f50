"""The rows that the field's reference measurement tests itself with."""

from collections.abc import Callable, Sequence

from tests.lab.hosts import (
    BLOCK_PAGE,
    TRANSPARENT_PROXY,
    LabHost,
    Page,
    challenge,
    moved,
    web_page,
)
from tests.lab.lab import Lab
from tests.lab.network import Network
from tests.scenarios.matrix import (
    NOT_COVERED,
    SAME,
    Answer,
    Scenario,
    blocked,
    down,
    insufficient,
    ok,
    site,
)

HOME = ("127.0.0.1", "::1")
Build = Callable[[Lab, Network], object]


def _hijack(name: str, answer: Sequence[str]) -> Build:
    return lambda _, network: network.block(dns=[name], how="address", answer=answer)


def _hijack_to(name: str, host: str) -> Build:
    return lambda lab, network: network.block(
        dns=[name], how="address", answer=lab.internet.addresses[host]
    )


def _shows(name: str, how: str) -> Build:
    return lambda lab, _: lab.internet.certificate(name, how)


def _hijack_to_expired(lab: Lab, network: Network) -> None:
    lab.internet.certificate("lapsed.example", "expired")
    _hijack_to("expired-hijacked.example", "lapsed.example")(lab, network)


def _hijack_to_closed(name: str) -> Build:
    def build(lab: Lab, network: Network) -> None:
        _hijack_to(name, f"closed-{name}")(lab, network)
        network.block(address=[f"closed-{name}"], how="reset")

    return build


def _page_after_hijack(lab: Lab, network: Network) -> None:
    _hijack("diff-hijacked.example", TRANSPARENT_PROXY)(lab, network)
    network.page(["diff-hijacked.example"])


def _reset_after_hijack(lab: Lab, network: Network) -> None:
    _hijack("reset-hijacked.example", TRANSPARENT_PROXY)(lab, network)
    network.block(sni=["reset-hijacked.example"], how="reset")


def _guarded(name: str, scheme: str) -> Build:
    return lambda lab, network: lab.internet.page(name, challenge(), scheme=scheme, to=network.name)


def _edge(name: str) -> LabHost:
    page = Page(
        headers={"Server": "cloudflare", "CF-RAY": "8f2b6c1d9e0a4b7c-KHI"},
        body=web_page(f"Behind the edge of {name}"),
    )
    return site(name, page)


def _leading(name: str, scheme: str) -> tuple[LabHost, ...]:
    landing = f"{name}-landing.example"
    return (
        LabHost(name=f"{name}.example", https={"": moved(f"{scheme}://{landing}/")}),
        site(landing),
    )


def _hops(name: str, scheme: str) -> tuple[LabHost, ...]:
    pages = {"": moved("/1"), **{f"/{hop}": moved(f"/{hop + 1}", 302) for hop in range(1, 14)}}
    return (LabHost(name=name, https=pages, http=pages if scheme == "http" else {}),)


def _redirect(after: str, scheme: str, ooni: str, answer: Answer, build: str) -> Scenario:
    name = f"redirect-{after}-{scheme}"
    landing = f"{name}-landing.example"
    kinds: dict[str, Build] = {
        "address": lambda _, network: network.block(address=[landing], how="reset"),
        "sni": lambda _, network: network.block(sni=[landing], how=_HOW[after]),
        "http": lambda _, network: network.block(http=[landing], how=_HOW[after]),
        "dns": lambda _, network: network.block(dns=[landing], how="nxdomain"),
    }
    return Scenario(
        name=name,
        story=f"A short link works; the {scheme} page it leads to ends in {after}.",
        ooni=ooni,
        network="redirects",
        hosts=_leading(name, scheme),
        build=kinds[build],
        answer=answer,
    )


_HOW = {"reset": "reset", "eof": "fin", "timeout": "drop"}
BIG = Page(body=web_page("A very large page", 2 * 1024 * 1024))
_ADDRESSES = "Addresses are never compared to accuse: CDNs rotate and answer by place."

OONI: tuple[Scenario, ...] = (
    Scenario(
        name="success-http",
        story="A site without encryption works.",
        ooni="accessible",
        url="http://success-http.example/",
        answer=SAME,
    ),
    Scenario(
        name="success-https",
        story="An encrypted site works.",
        ooni="accessible",
        answer=ok(),
    ),
    *(
        Scenario(
            name=f"bad-{how}",
            story=f"The site itself shows a certificate with a fault, to everybody: {how}.",
            ooni="no verdict",
            differs=differs,
            build=_shows(f"bad-{how}.example", how),
            answer=answer,
        )
        for how, answer, differs in (
            ("unknown-authority", insufficient("tls.known_nowhere"), ""),
            ("expired", down(), "Unusable for everybody is down, and says so."),
            ("wrong-name", down(), "Unusable for everybody is down, and says so."),
        )
    ),
    Scenario(
        name="unknown-authority-hijacked",
        story="The resolver leads to a block page with a certificate from nowhere.",
        ooni="blocked (dns)",
        network="names",
        build=_hijack("unknown-authority-hijacked.example", BLOCK_PAGE),
        answer=blocked("dns.hijack", "conclusive"),
    ),
    Scenario(
        name="expired-hijacked",
        story="The resolver leads to a server with an expired certificate.",
        ooni=NOT_COVERED,
        network="names",
        hosts=(site("expired-hijacked.example"), site("lapsed.example")),
        build=_hijack_to_expired,
        answer=blocked("dns.hijack", "conclusive"),
    ),
    Scenario(
        name="wrong-name-hijacked",
        story="The resolver leads to a server with a valid certificate of another name.",
        ooni=NOT_COVERED,
        network="names",
        hosts=(site("wrong-name-hijacked.example"), site("parked.example")),
        build=_hijack_to("wrong-name-hijacked.example", "parked.example"),
        answer=blocked("dns.hijack", "conclusive"),
    ),
    Scenario(
        name="challenge-http",
        story="In cleartext the site's bot protection turns this visitor away, not the control.",
        ooni="blocked (http-diff)",
        differs="A bot protection is not a censor; the same edge's headers show that it acted.",
        network="pages",
        url="http://challenge-http.example/",
        hosts=(_edge("challenge-http.example"),),
        build=_guarded("challenge-http.example", "http"),
        answer=insufficient("http.refused_by_site"),
    ),
    Scenario(
        name="challenge-https",
        story="Over a verified connection the site's bot protection turns this visitor away.",
        ooni="accessible",
        network="pages",
        hosts=(_edge("challenge-https.example"),),
        build=_guarded("challenge-https.example", "https"),
        answer=ok(),
    ),
    Scenario(
        name="control-dead-http",
        story="A site without encryption works, and no control can be asked.",
        ooni="no verdict",
        run="no-control",
        url="http://control-dead-http.example/",
        answer=insufficient("control.dead"),
    ),
    Scenario(
        name="control-dead-https",
        story="An encrypted site works, and no control can be asked.",
        ooni="accessible",
        run="no-control",
        answer=ok(),
    ),
    Scenario(
        name="dns-bogon",
        story="The resolver answers with a private address.",
        ooni="blocked (dns)",
        network="names",
        build=lambda _, network: network.block(dns=["dns-bogon.example"], how="bogon"),
        answer=blocked("dns.bogon", "conclusive"),
    ),
    Scenario(
        name="dns-nxdomain",
        story="The resolver says that the name does not exist.",
        ooni="blocked (dns)",
        network="names",
        build=lambda _, network: network.block(dns=["dns-nxdomain.example"], how="nxdomain"),
        answer=blocked("dns.nxdomain", "conclusive"),
    ),
    Scenario(
        name="dns-no-answer",
        story="The resolver says that the name has no address.",
        ooni="blocked (dns)",
        network="names",
        build=lambda _, network: network.block(dns=["dns-no-answer.example"], how="empty"),
        answer=blocked("dns.no_answer", "conclusive"),
    ),
    Scenario(
        name="hijack-home-http",
        story="The resolver leads a site without encryption to the visitor's own machine.",
        ooni="blocked (dns)",
        network="names",
        url="http://hijack-home-http.example/",
        build=_hijack("hijack-home-http.example", HOME),
        answer=blocked("dns.bogon", "strong"),
    ),
    Scenario(
        name="hijack-home-https",
        story="The resolver leads an encrypted site to the visitor's own machine.",
        ooni="blocked (dns)",
        network="names",
        build=_hijack("hijack-home-https.example", HOME),
        answer=blocked("dns.bogon", "conclusive"),
    ),
    Scenario(
        name="hijack-proxy-http",
        story="The resolver leads to a proxy that hands cleartext on unharmed.",
        ooni="accessible",
        network="names",
        url="http://hijack-proxy-http.example/",
        build=_hijack("hijack-proxy-http.example", TRANSPARENT_PROXY),
        answer=SAME,
    ),
    Scenario(
        name="hijack-proxy-https",
        story="The resolver leads to a proxy that hands TLS on unharmed.",
        ooni="accessible",
        network="names",
        build=_hijack("hijack-proxy-https.example", TRANSPARENT_PROXY),
        answer=ok(),
    ),
    *(
        Scenario(
            name=f"ghost-{scheme}",
            story="The name is long gone; the resolver still leads it to a block page.",
            ooni="blocked (dns)",
            differs="Nobody can reach what is gone; that a list still names it blocks no platform.",
            network="names",
            url=f"{scheme}://ghost-{scheme}.example/",
            hosts=(),
            build=_hijack(f"ghost-{scheme}.example", BLOCK_PAGE),
            answer=down(),
            elsewhere="down",
        )
        for scheme in ("http", "https")
    ),
    Scenario(
        name="http-reset",
        story="The connection is reset when a cleartext page is asked for.",
        ooni="blocked (http-failure)",
        network="pages",
        url="http://http-reset.example/",
        build=lambda _, network: network.block(http=["http-reset.example"], how="reset"),
        answer=blocked("http.reset", "strong"),
    ),
    Scenario(
        name="http-diff",
        story="A block page comes in place of a cleartext page, from the true address.",
        ooni="blocked (http-diff)",
        network="pages",
        url="http://http-diff.example/",
        build=lambda _, network: network.page(["http-diff.example"]),
        answer=blocked("http.blockpage", "strong"),
    ),
    Scenario(
        name="diff-hijacked",
        story="The resolver leads to a proxy, and a block page comes in place of the page.",
        ooni="blocked (dns)",
        differs=f"{_ADDRESSES} What acted is the page.",
        network="pages",
        url="http://diff-hijacked.example/",
        build=_page_after_hijack,
        answer=blocked("http.blockpage", "strong"),
    ),
    Scenario(
        name="idna-lower",
        story="A site whose name is not ASCII works.",
        ooni="accessible",
        url="https://bücher-lower.example/",
        hosts=(site("xn--bcher-lower-thb.example"),),
        answer=ok(),
    ),
    Scenario(
        name="idna-upper",
        story="The same, its name written with a capital.",
        ooni="accessible",
        url="https://Bücher-upper.example/",
        hosts=(site("xn--bcher-upper-thb.example"),),
        answer=ok(),
    ),
    *(
        Scenario(
            name=f"large-{scheme}",
            story=f"A page of 2 MiB is read in part over {scheme}, and works.",
            ooni="accessible",
            url=f"{scheme}://large-{scheme}.example/",
            hosts=(site(f"large-{scheme}.example", BIG),),
            answer=SAME if scheme == "http" else ok(),
        )
        for scheme in ("http", "https")
    ),
    *(
        Scenario(
            name=f"home-{scheme}",
            story="Every resolver, the control's too, leads the name to the visitor's own machine.",
            ooni="down",
            url=f"{scheme}://home-{scheme}.example/",
            build=_leads_home,
            answer=down(),
        )
        for scheme, _leads_home in (
            (
                "http",
                lambda lab, _: lab.internet.lie("home-http.example", "address", answer=HOME),
            ),
            (
                "https",
                lambda lab, _: lab.internet.lie("home-https.example", "address", answer=HOME),
            ),
        )
    ),
    *(
        Scenario(
            name=f"redirect-broken-{scheme}",
            story=f"The site itself redirects to no host at all over {scheme}, to everybody.",
            ooni="blocked (http-failure)",
            differs="A fault of the site's own, the same for everybody, blocks nobody: down.",
            url=f"{scheme}://redirect-broken-{scheme}.example/",
            hosts=(site(f"redirect-broken-{scheme}.example", moved("https://")),),
            answer=down(),
        )
        for scheme in ("http", "https")
    ),
    _redirect(
        "refused", "http", "blocked (http-failure)", blocked("tcp.refused", "strong"), "address"
    ),
    _redirect(
        "refused", "https", "blocked (http-failure)", blocked("tcp.refused", "strong"), "address"
    ),
    _redirect("reset", "http", "blocked (http-failure)", blocked("http.reset", "strong"), "http"),
    _redirect(
        "reset", "https", "blocked (http-failure)", blocked("tls.reset", "conclusive"), "sni"
    ),
    _redirect("eof", "http", "blocked (http-failure)", blocked("http.eof", "strong"), "http"),
    _redirect("eof", "https", "blocked (http-failure)", blocked("tls.eof", "conclusive"), "sni"),
    _redirect(
        "timeout", "http", "blocked (http-failure)", blocked("http.timeout", "strong"), "http"
    ),
    _redirect(
        "timeout", "https", "blocked (http-failure)", blocked("tls.timeout", "conclusive"), "sni"
    ),
    _redirect("nxdomain", "https", "blocked (dns)", blocked("dns.nxdomain", "conclusive"), "dns"),
    *(
        Scenario(
            name=f"many-hops-{scheme}",
            story=f"The site redirects more than ten times over {scheme}, to itself.",
            ooni="accessible",
            url=f"{scheme}://many-hops-{scheme}.example/",
            hosts=_hops(f"many-hops-{scheme}.example", scheme),
            answer=SAME if scheme == "http" else ok(),
        )
        for scheme in ("http", "https")
    ),
    Scenario(
        name="tcp-timeout",
        story="Connections to the site's addresses get no answer.",
        ooni="blocked (tcp_ip)",
        network="pages",
        build=lambda _, network: network.block(address=["tcp-timeout.example"], how="drop"),
        answer=blocked("tcp.timeout", "strong"),
    ),
    Scenario(
        name="refused-hijacked-http",
        story="The resolver leads a site without encryption to a server that refuses.",
        ooni="blocked (dns)",
        differs=f"{_ADDRESSES} Without TLS no other address can prove to be the true one.",
        network="names",
        url="http://refused-hijacked-http.example/",
        hosts=(site("refused-hijacked-http.example"), site("closed-refused-hijacked-http.example")),
        build=_hijack_to_closed("refused-hijacked-http.example"),
        answer=blocked("tcp.refused", "strong"),
    ),
    Scenario(
        name="refused-hijacked-https",
        story="The resolver leads an encrypted site to a server that refuses.",
        ooni="blocked (dns)",
        network="names",
        hosts=(
            site("refused-hijacked-https.example"),
            site("closed-refused-hijacked-https.example"),
        ),
        build=_hijack_to_closed("refused-hijacked-https.example"),
        answer=blocked("dns.hijack", "strong"),
    ),
    Scenario(
        name="throttling",
        story="The site's pages come at 128 kbit/s, others at full speed.",
        ooni="blocked (http-failure)",
        differs="Slow is not blocked: a state of its own, with the ratio measured.",
        answer=Answer(
            state="throttled",
            rule_id="throttling.rate",
            method="throttling",
            sub_method="rate",
            evidence="strong",
        ),
        proved_in="test_throttling.py::test_slowed_down_platforms_are_throttled",
    ),
    Scenario(
        name="tls-reset",
        story="The connection is reset when the site's name is sent in the TLS greeting.",
        ooni="blocked (http-failure)",
        network="greetings",
        build=lambda _, network: network.block(sni=["tls-reset.example"], how="reset"),
        answer=blocked("tls.reset", "conclusive"),
    ),
    Scenario(
        name="reset-hijacked",
        story="The resolver leads to a proxy, and the greeting with the name is reset anyway.",
        ooni="blocked (dns)",
        differs=f"{_ADDRESSES} The name is reset at the true address as well: that is what acts.",
        network="greetings",
        build=_reset_after_hijack,
        answer=blocked("tls.reset", "conclusive"),
    ),
    Scenario(
        name="down-nxdomain",
        story="No resolver anywhere knows the name.",
        ooni="down",
        hosts=(),
        answer=down(),
    ),
    Scenario(
        name="down-no-addresses",
        story="The name has no addresses, whoever asks.",
        ooni="down",
        build=lambda lab, _: lab.internet.lie("down-no-addresses.example", "empty"),
        answer=down(),
    ),
    Scenario(
        name="down-tcp",
        story="The site refuses connections from everywhere.",
        ooni="down",
        build=lambda lab, _: lab.internet.down("down-tcp.example"),
        answer=down(),
    ),
)
