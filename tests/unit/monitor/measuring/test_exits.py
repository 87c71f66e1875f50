"""Where a vantage comes out: looked up in the operator's files, compared, and then forgotten."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from monitor.analysis.vantage.exit_location import (
    AS_CONFIGURED,
    ExitLocation,
    ExitMismatch,
    compare,
)
from monitor.config.settings import Settings, VantageCheckSettings
from monitor.measuring.exits import Exits
from probes.catalog.catalog import Catalog
from probes.layers.bogon import BogonList
from probes.layers.http_exchange import Exchange
from probes.measure.exit_address import exit_address
from probes.vantage import VantagePoint, VantageRole
from tests.worlds.mmdb import asn, country, write_mmdb

HOME, ABROAD, NEIGHBOUR, UNKNOWN = "203.0.113.7", "198.51.100.7", "203.0.113.130", "192.0.2.1"
HOME6 = "2001:db8::7"
FIELD = VantagePoint(id="khi-ptcl", country="PK", asn=17557)
CONTROL = VantagePoint(id="fra", country="DE", asn=64496, role=VantageRole.CONTROL)
URL, OTHER_URL = "https://echo.example.org/", "https://echo.example.net/"


class Servers:
    """Echo servers that answer with what is put in them."""

    def __init__(self, **answers: str) -> None:
        self.answers = {URL: HOME, **answers}
        self.asked: list[str] = []

    async def ask(self, _: str, url: str) -> str:
        """What the server at that URL says."""
        self.asked.append(url)
        return self.answers.get(url, "")


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, ...]:
    """One file of countries and one of networks."""
    countries = {
        "203.0.113.0/24": country("PK"),
        "198.51.100.0/24": country("NL"),
        "2001:db8::/32": country("PK"),
    }
    networks = {
        "203.0.113.0/25": asn(17557),
        "203.0.113.128/25": asn(45595),
        "198.51.100.0/24": asn(64511),
    }
    return (
        str(write_mmdb(tmp_path / "country.mmdb", countries)),
        str(write_mmdb(tmp_path / "asn.mmdb", networks)),
    )


def exits(files: Sequence[str], servers: Servers, **options: Any) -> Exits:
    """The exits of one field vantage and one control."""
    check = VantageCheckSettings(mmdb=tuple(files), **{"echo": (URL,), **options})
    settings = Settings(
        vantages=(FIELD, CONTROL), catalog=Catalog(platforms=()), vantage_check=check
    )
    return Exits(settings, servers.ask)


@pytest.mark.parametrize(
    ("address", "found"),
    [
        (HOME, AS_CONFIGURED),
        (HOME6, AS_CONFIGURED),
        (ABROAD, ExitMismatch("NL", 64511)),
        (NEIGHBOUR, ExitMismatch("", 45595)),
        (UNKNOWN, AS_CONFIGURED),
        ("", AS_CONFIGURED),
    ],
)
async def test_an_exit_is_compared_with_the_configuration(
    files: Sequence[str], address: str, found: ExitMismatch
) -> None:
    """Another country, another network, and nothing where no file knows or no server answers."""
    servers = Servers(**{URL: address})
    told = exits(files, servers)
    await told.begin(FIELD.id)
    assert told.of(FIELD) == found


async def test_siblings_are_one_network(files: Sequence[str]) -> None:
    """An operator with several AS numbers is nobody else."""
    told = exits(files, Servers(**{URL: NEIGHBOUR}), siblings=((1, 2), (17557, 45595)))
    await told.begin(FIELD.id)
    assert told.of(FIELD) == AS_CONFIGURED


@pytest.mark.parametrize(
    ("exit_country", "found"),
    [("DE", ""), ("NL", ""), ("PK", "PK")],
)
def test_a_control_may_be_anywhere_but_where_blocking_is_looked_for(
    exit_country: str, found: str
) -> None:
    """Its network does not matter either."""
    place = ExitLocation(exit_country, 1)
    assert compare(CONTROL, place, frozenset({"PK"})) == ExitMismatch(found)


def test_nothing_is_said_of_a_vantage_whose_place_is_not_configured() -> None:
    """Without a file, or an AS number, there is nothing to differ from."""
    local = VantagePoint(id="local", country="ZZ")
    assert compare(local, ExitLocation("NL", 64511), frozenset({"ZZ"})) == AS_CONFIGURED


async def test_servers_are_asked_in_turn_and_only_now_and_then(files: Sequence[str]) -> None:
    """The second when the first is silent; nobody again before so many cycles have begun."""
    servers = Servers(**{URL: "", OTHER_URL: HOME})
    told = exits(files, servers, echo=(URL, OTHER_URL), every=3)
    for _ in range(4):
        await told.begin(FIELD.id)
    assert servers.asked == [URL, OTHER_URL] * 2


async def test_without_files_servers_are_asked_for_the_scrubber_alone() -> None:
    """The first that answers is enough, as rarely, and nothing is claimed about the exit."""
    servers = Servers(**{URL: "", OTHER_URL: ABROAD})
    told = exits((), servers, echo=(URL, OTHER_URL), every=3)
    for _ in range(4):
        await told.begin(FIELD.id)
    assert servers.asked == [URL, OTHER_URL] * 2
    assert told.of(FIELD) == AS_CONFIGURED


async def test_a_wrong_exit_is_asked_after_in_every_cycle(files: Sequence[str]) -> None:
    """A VPN that was switched off is noticed in the next cycle."""
    servers = Servers(**{URL: ABROAD})
    told = exits(files, servers)
    await told.begin(FIELD.id)
    assert told.of(FIELD).country == "NL"
    servers.answers[URL] = HOME
    await told.begin(FIELD.id)
    assert told.of(FIELD) == AS_CONFIGURED


async def test_what_no_server_tells_any_more_is_not_known_in_the_next_cycle(
    files: Sequence[str],
) -> None:
    """A vantage that went offline is not elsewhere. Until then silence does not bring it home."""
    servers = Servers(**{URL: ABROAD})
    told = exits(files, servers)
    await told.begin(FIELD.id)
    servers.answers[URL] = ""
    await told.ask(FIELD.id)
    assert told.of(FIELD).country == "NL"
    await told.begin(FIELD.id)
    assert told.of(FIELD) == AS_CONFIGURED


@pytest.mark.parametrize("echo", [(), (URL,)], ids=["STUN alone", "with an echo server"])
async def test_a_cycle_out_of_turn_does_not_forget_a_wrong_exit(
    files: Sequence[str], echo: tuple[str, ...]
) -> None:
    """It tests nobody's calls, so no server over UDP says where it is, and the bytes to ask others
    may be spent. What a VPN's country blocks was held against the vantage's own."""
    servers = Servers(**{URL: ""})
    told = exits(files, servers, echo=echo)
    await told.begin(FIELD.id)
    told.heard(FIELD.id, ABROAD)
    for _ in range(3):
        await told.begin(FIELD.id, out_of_turn=True)
        assert told.of(FIELD).country == "NL"
        await told.ask(FIELD.id)
        assert told.of(FIELD).country == "NL"
    servers.answers[URL] = HOME
    await told.begin(FIELD.id, out_of_turn=bool(echo))
    assert told.of(FIELD) == AS_CONFIGURED


async def test_a_stun_answer_from_elsewhere_makes_an_old_echo_doubtful(
    files: Sequence[str],
) -> None:
    """Echo servers are asked every so many cycles. A VPN turned on in between was told by STUN at
    once, and the vantage measured the VPN for an hour: an open platform ended its block."""
    servers = Servers()
    told = exits(files, servers)
    await told.begin(FIELD.id)
    assert not told.doubtful(FIELD)
    told.heard(FIELD.id, ABROAD)
    assert told.doubtful(FIELD)
    servers.answers[URL] = ABROAD
    await told.ask(FIELD.id)
    assert (told.of(FIELD).country, told.doubtful(FIELD)) == ("NL", False)
    servers.answers[URL] = HOME
    await told.begin(FIELD.id)
    told.heard(FIELD.id, ABROAD)
    await told.ask(FIELD.id)
    assert (told.of(FIELD), told.doubtful(FIELD)) == (AS_CONFIGURED, False)


async def test_stun_tells_where_no_server_is_asked_and_only_for_its_cycle(
    files: Sequence[str],
) -> None:
    """An answer over verified TLS is believed rather than one over UDP that anybody could forge."""
    told = exits(files, Servers(), echo=())
    told.heard(FIELD.id, ABROAD)
    assert told.of(FIELD).country == "NL"
    await told.begin(FIELD.id)
    assert told.of(FIELD) == AS_CONFIGURED
    both = exits(files, Servers())
    await both.begin(FIELD.id)
    both.heard(FIELD.id, ABROAD)
    assert both.of(FIELD) == AS_CONFIGURED


async def test_no_address_is_kept(files: Sequence[str]) -> None:
    """Neither of the two ways leaves one anywhere in the object."""
    told = exits(files, Servers(**{URL: ABROAD}))
    await told.begin(FIELD.id)
    told.heard(FIELD.id, HOME)
    assert told.of(FIELD).country == "NL"
    kept = repr([vars(told), [msgspec.structs.asdict(one) for one in told._exits.values()]])
    kept = kept.replace(repr(told._ask), "")
    assert ABROAD not in kept
    assert HOME not in kept


async def test_a_file_that_is_gone_or_broken_is_a_warning_without_the_address(
    files: Sequence[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The other file still tells what it knows."""
    told = exits(files, Servers(**{URL: ABROAD}))
    (tmp_path / "asn.mmdb").write_bytes(b"no such thing")
    await told.begin(FIELD.id)
    assert told.of(FIELD) == ExitMismatch("NL", 0)
    # Where the log goes depends on what ran before in this process.
    said = caplog.text + "".join(capsys.readouterr())
    assert "asn.mmdb" in said
    assert ABROAD not in said


@pytest.mark.parametrize(
    "record",
    [
        {"country": "PK", "asn": "AS17557"},
        {"country_code": "PK", "autonomous_system_number": 17557},
        {**country("pk"), **asn(17557)},
    ],
)
async def test_files_of_several_publishers_are_read(tmp_path: Path, record: dict[str, Any]) -> None:
    """Nested and flat, numbers and text."""
    path = write_mmdb(tmp_path / "all.mmdb", {"203.0.113.0/24": record})
    told = exits([str(path)], Servers())
    assert told._place(HOME) == ExitLocation("PK", 17557)


@pytest.mark.parametrize(
    ("body", "headers", "found"),
    [
        (HOME, {}, HOME),
        (f"{HOME}\n", {}, HOME),
        (f'{{"ip":"{HOME}","port":1}}', {}, HOME),
        (f"Your address is {HOME}.", {}, HOME),
        (HOME6, {}, HOME6),
        (f"::ffff:{HOME}", {}, HOME),
        ("hello", {"x-client": HOME}, HOME),
        (f"{HOME} {ABROAD}", {}, ""),
        (f"{HOME} via 10.0.0.1", {}, HOME),
        ("10.0.0.1", {}, ""),
        ("", {}, ""),
        ("12:34:56 version 1.2.3", {}, ""),
    ],
)
def test_the_address_in_an_echo(body: str, headers: dict[str, str], found: str) -> None:
    """The only public one: never a private one, and never a guess among several."""
    answer = Exchange(
        duration=0.1,
        failure=None,
        status=200,
        headers=tuple(headers.items()),
        body=body.encode(),
    )
    allowed = BogonList(("203.0.113.0/24", "198.51.100.0/24", "2001:db8::/32"))
    assert exit_address(answer, allowed) == found
