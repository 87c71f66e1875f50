"""Every scenario that blackbox_exporter is asked about: the same hosts, censor and URL.

Rows of the matrix share a lab by network. Of rows that other tests prove, which are about a whole
platform, the URL is its start page: what somebody would have the exporter watch.
"""

from collections.abc import Callable, Iterable, Mapping
from itertools import groupby
from typing import Any

from tests.lab.hosts import Page, web_page
from tests.lab.lab import Lab
from tests.lab.network import Network
from tests.lab.test_line_faults import DATA_CENTRES, LINES, WHATSAPP_CHAT
from tests.scenarios import (
    test_ailing_vantages,
    test_allowlists,
    test_chat_and_calls,
    test_functions,
    test_lasting_faults,
    test_partial,
    test_plain_drops,
    test_speed_of_functions,
    test_throttling,
    test_trusted_interception,
)
from tests.scenarios.blackbox_exporter import Beside
from tests.scenarios.blackbox_said import UNASKED
from tests.scenarios.matrix import OPEN, Scenario
from tests.scenarios.matrix_table import SCENARIOS

X = "https://x.com/"
START = {
    "facebook": "https://www.facebook.com/",
    "messenger": "https://www.messenger.com/",
    "signal": "https://chat.signal.org/",
    "telegram": "https://web.telegram.org/",
    "tiktok": "https://www.tiktok.com/",
    "whatsapp": "https://web.whatsapp.com/",
    "youtube": "https://www.youtube.com/",
}
Apply = Callable[[Network], object]
X_HOSTS, X_NAMES = test_lasting_faults.X_HOSTS, test_lasting_faults.X_NAMES


def _matrix() -> dict[str, Beside]:
    def place(row: Scenario) -> tuple[str, str]:
        return row.look, row.network or OPEN

    rows = sorted((row for row in SCENARIOS if not row.proved_in), key=place)
    return {
        "/".join(where): _together(where, list(several)) for where, several in groupby(rows, place)
    }


def _together(where: tuple[str, str], rows: Iterable[Scenario]) -> Beside:
    def build(lab: Lab, network: Network) -> None:
        for row in rows:
            if row.build:
                row.build(lab, network)

    return Beside(
        rows={row.name: row.endpoint for row in rows if row.name not in UNASKED},
        build=build,
        network=where[1],
        hosts=[host for row in rows for host in row.sites],
        six=where == ("families", "v6"),
    )


def _own(name: str, apply: Apply, url: str = X, **more: Any) -> dict[str, Beside]:
    """A row with a network of its own."""
    made = Beside(rows={name: url}, build=lambda _, network: apply(network), **more)
    return {name: made} if name not in UNASKED else {}


def _slow(name: str, apply: Apply) -> dict[str, Beside]:
    """X's start page is large, and slow."""

    def build(lab: Lab, network: Network) -> None:
        lab.internet.page("x.com", Page(body=web_page("X start page", 200 * 1024)))
        apply(network)

    return {name: Beside(rows={name: X}, build=build)}


def _all(table: Mapping[str, Apply], **renamed: str) -> dict[str, Beside]:
    """Rows whose networks do what another test's table says, some under another name."""
    names = {row.name for row in SCENARIOS}
    made: dict[str, Beside] = {}
    for name, apply in table.items():
        row = renamed.get(name.replace("-", "_"), name)
        if row in names:
            made |= _own(row, apply)
    return made


def _functions() -> dict[str, Beside]:
    made: dict[str, Beside] = {}
    for name, (platform, country, apply) in test_functions.BLOCKS.items():
        made |= _own(name, apply, START[platform], country=country)
    for name, (_, platform, _, apply) in test_speed_of_functions.STORIES.items():
        made |= _own(name, apply, START[platform])
    media = test_speed_of_functions.MEDIA[:1]
    whatsapp = START["whatsapp"]
    return {
        **made,
        **_own("whatsapp-media-16k", lambda n: n.throttle(kbit=16, sni=media), whatsapp),
        **_own("whatsapp-media-32k-object", lambda n: n.throttle(kbit=32, sni=media), whatsapp),
        **_own("x-128k-shared", lambda n: n.throttle(kbit=128, sni=X_NAMES)),
    }


def _calls() -> dict[str, Beside]:
    over_udp = test_chat_and_calls.OVER_UDP
    rows = {"stun-ban": "stun-ban", "stun-ban-quic": "stun-ban"}
    rows |= {name: name for name in ("own-calls", "own-calls-v4", "no-udp")}
    greeting = test_chat_and_calls.NETWORKS["wa-noise-dpi"]
    made = _own("wa-noise-dpi", greeting, START["whatsapp"])
    led = test_chat_and_calls.NETWORKS["wa-chat-dns"]
    made |= _own("wa-chat-dns", led, START["whatsapp"])
    chats = [*WHATSAPP_CHAT, *DATA_CENTRES]
    made |= _own("tls-alone", lambda n: n.middlebox(chats), START["whatsapp"])
    for row, network in rows.items():
        made |= _own(row, over_udp[network], START["messenger"])
    return made


def _quic() -> dict[str, Beside]:
    def by_name(network: Network) -> object:
        return network.block(quic=["www.youtube.com"], how="drop")

    every = [123, 443, 3478, 19302]
    return {
        **_own("quic-only", by_name, START["youtube"]),
        **_own("quic-only-proxies", by_name, START["youtube"]),
        **_own("quic-everywhere", lambda n: n.block(udp=[443], how="drop")),
        **_own("udp-closed", lambda n: n.block(udp=every, how="drop")),
        **_own("tcp-only", lambda n: n.block(sni=["x.com"], how="reset")),
    }


def _trusted() -> dict[str, Beside]:
    known, whole = test_trusted_interception.KNOWN, test_trusted_interception.WHOLE
    everything = [*X_NAMES, ".facebook.com", *test_trusted_interception.REFERENCES]
    return {
        **_own("state-ca-trusted", lambda n: n.forge(X_NAMES, f"by {known}"), trusts=[known]),
        **_own(
            "state-ca-trusted-all", lambda n: n.forge(everything, f"by {whole}"), trusts=[whole]
        ),
    }


def _lists() -> dict[str, Beside]:
    made: dict[str, Beside] = {}
    for name, line in test_allowlists.LINES.items():
        if any(row.name == name for row in SCENARIOS):
            made |= _own(name, line.apply, country=line.country)
    return made


def _others() -> dict[str, Beside]:
    stall = test_throttling.STALL
    gone = Beside(rows={"down-worldwide": X}, build=lambda lab, _: lab.internet.down(*X_HOSTS))
    return {
        **_own("full-shutdown", lambda n: n.cut()),
        **_own(
            "data-centres-with-one-port",
            lambda n: n.block(address=DATA_CENTRES, ports=[80, 5222], how="drop"),
            START["telegram"],
        ),
        **_own("control-offline", lambda n: n.block(dns=["x.com", ".twitter.com"], how="nxdomain")),
        "down-worldwide": gone,
        **_slow("throttling", lambda n: n.throttle(kbit=128, sni=["x.com"])),
        **_slow("stall-16k", lambda n: n.stall(after=stall, sni=["x.com"])),
    }


def _drops() -> dict[str, Beside]:
    hosts = test_plain_drops.own_prefixes()
    made: dict[str, Beside] = {}
    for name, drop in test_plain_drops.DROPS.items():
        if drop.rule:
            made |= _own(name, drop.apply, hosts=hosts)
    return made


MATRIX = _matrix()
"""Labs of the matrix's own rows, by run and network."""
ELSEWHERE: Mapping[str, Beside] = {
    **_functions(),
    **_lists(),
    **_calls(),
    **_quic(),
    **_trusted(),
    **_drops(),
    **_others(),
    **_all(test_partial.BLOCKS),
    **_all(LINES),
    **_all({name: fault.apply for name, fault in test_lasting_faults.FAULTS.items()}),
    **_all(
        test_ailing_vantages.AILMENTS,
        cut="vantage-offline",
        unplugged="vantage-unplugged",
        captive="captive-portal",
        foreign_cut="international-cut",
        lossy="loss",
        slow="slow-line",
    ),
}
"""Labs of rows that other tests prove, by row."""
EVERY: Mapping[str, Beside] = {**MATRIX, **ELSEWHERE}
