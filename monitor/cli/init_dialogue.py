"""The questions of `shutwatch init` on a terminal. Nothing is written before the last answer."""

import asyncio
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeVar

import msgspec
import typer

from monitor.cli.exits import bad_usage
from monitor.config.country_code import country_code, probable_code
from monitor.config.egress import parse_egress
from monitor.keys.passwords import new_user
from monitor.notify.apprise_service import NotInstalledError, fault_of
from monitor.setup.answers import Answers, Line, as_number
from monitor.setup.local_lines import LocalLine, local_lines
from monitor.wording.words import words_in
from probes.vantage import VantageRole

if TYPE_CHECKING:
    from monitor.setup.located_lines import Located

T = TypeVar("T")
_CHEAP = 1
"""Cost of a hash that only tries whether a name and a password can be used."""


def ask(known: Answers) -> tuple[Answers, str, str]:
    """All answers, and name and password of who may sign in; both empty for nobody."""
    typer.echo("A few questions, then a file to start with. Ctrl-C leaves nothing behind.\n")
    country = _until("Which country do you watch", country_of)
    place = words_in().country(country)
    lines = [*_local(known, country, place), *_proxied(country, place)]
    lines += list(_controls(country, place, lines))
    if not (lines or known.follow or known.agents_at):
        raise bad_usage("nothing to watch by: name a line, or leave out --no-follow")
    follow = known.follow and (
        not lines
        or typer.confirm(
            f"Show what OONI's volunteers and IODA measure about {place}, too?", default=True
        )
    )
    messages = list(_messages())
    name, password, listen = _access()
    answers = msgspec.structs.replace(
        known,
        countries=(country,),
        lines=tuple(lines),
        follow=follow,
        messages=tuple(messages),
        listen=listen,
    )
    return answers, name, password


def country_of(text: str) -> str:
    """A code, also by the country's name. Raises ValueError."""
    return probable_code(text) or country_code(text)


def _until(question: str, read: Callable[[str], T], default: str | None = None) -> T:
    """Ask until the answer can be read."""
    while True:
        try:
            return read(typer.prompt(question, default=default, show_default=bool(default)).strip())
        except ValueError as error:
            typer.echo(f"  Write {error.args[0]}.", err=True)


def _local(known: Answers, country: str, place: str) -> Iterator[Line]:
    """Lines of this machine, where it is in that country."""
    # What measures is imported where lines are asked: options name theirs.
    from monitor.setup.located_lines import located

    lines = local_lines()
    if not lines:
        return
    named = ", ".join(one.device for one in lines)
    if not typer.confirm(f"Is this machine in {place} (its lines: {named})?", default=True):
        return
    for line, place_of in zip(
        lines, asyncio.run(located(lines, known.mmdb, known.echo)), strict=True
    ):
        if len(lines) == 1 or typer.confirm(f"Test from {line.device}?", default=True):
            yield _described(country, line, place_of)


def _described(country: str, line: LocalLine, known: "Located") -> Line:
    asn = _until(
        f"AS number of the network behind {line.device}, 0 when not known",
        as_number,
        str(known.asn),
    )
    network = typer.prompt("Its name, such as PTCL", default=known.network).strip()
    return Line(country=country, egress=line.egress, asn=asn, network=network)


def _proxied(country: str, place: str) -> Iterator[Line]:
    while egress := _until(
        f"A proxy on another line in {place}, as in socks5://user:password@host:1080 "
        "(empty: no more)",
        _way_out,
        "",
    ):
        asn = _until("AS number of its network, 0 when not known", as_number, "0")
        network = typer.prompt("Its name", default="").strip()
        yield Line(country=country, egress=egress, asn=asn, network=network)


def _controls(country: str, place: str, lines: list[Line]) -> Iterator[Line]:
    """Where nothing is blocked; none without a line to compare with."""
    if not lines:
        return
    typer.echo(f"A control is a line outside {place}, where nothing is blocked. Two are best.")
    if all(parse_egress(one.egress).proxied for one in lines) and typer.confirm(
        f"Is this machine itself outside {place}, and a control?", default=True
    ):
        yield _control(country, "direct")
    while egress := _until(
        f"A proxy outside {place}, as in socks5://user:password@host:1080 (empty: no more)",
        _way_out,
        "",
    ):
        yield _control(country, egress)


def _control(watched: str, egress: str) -> Line:
    def elsewhere(text: str) -> str:
        if country_of(text) == watched:
            raise ValueError("another country than the one you watch")
        return country_of(text)

    country = _until("Its country", elsewhere)
    network = typer.prompt("Name of its network", default="").strip()
    return Line(country=country, egress=egress, network=network, role=VantageRole.CONTROL)


def _way_out(text: str) -> str:
    if text:
        parse_egress(text)
    return text


def _messages() -> Iterator[str]:
    """Addresses that messages go to."""

    def usable(text: str) -> str:
        fault = fault_of(text) if text and "${" not in text else ""
        if fault:
            raise ValueError(fault)
        return text

    question = (
        "Where do messages about events go, as in ntfys://ntfy.sh/TOPIC or "
        "mailto://user:password@host (empty: nowhere)"
    )
    try:
        while address := _until(question, usable, ""):
            yield address
            question = "Where else (empty: nowhere)"
    except NotInstalledError as error:
        typer.echo(f"  {error}; then add [[notify.route]] to the file.", err=True)


def _access() -> tuple[str, str, str]:
    """Name, password and address of the page; empty for this machine alone."""

    def usable(text: str) -> str:
        if text:
            new_user(text, "0123456789", log2_n=_CHEAP)
        return text

    name = _until(
        "Who else reads the page: a name to sign in with (empty: this machine alone)", usable, ""
    )
    if not name:
        return "", "", ""

    def long_enough(text: str) -> str:
        new_user(name, text, log2_n=_CHEAP)
        return text

    while True:
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
        try:
            return name, long_enough(password), _until("Address and port", str, "127.0.0.1:10100")
        except ValueError as error:
            typer.echo(f"  Give {error.args[0]}.", err=True)
