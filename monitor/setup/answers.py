"""What an operator answers, and the file that is written from it."""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from monitor.config.as_numbers import LARGEST_ASN
from monitor.config.country_code import country_code
from monitor.config.egress import parse_egress
from monitor.config.loopback import is_unspecified
from probes.catalog.endpoint_text import split_host_port
from probes.vantage import VantageRole

_HEADER = """\
# shutwatch: what to watch, from where, and whom to tell.
#
# After each change: `shutwatch check FILE`, and `shutwatch doctor --config FILE` tries it.
# docs/config.md explains every setting; `shutwatch init --example` writes a file with all of them.
"""
_ASN = re.compile(r"(?:AS)?(\d+)", re.IGNORECASE)
_AGENTS_PORT = 8443
_CODE = re.compile(r"[A-Za-z]{2}")
LINE_FORM = "[COUNTRY] WAY-OUT [AS-NUMBER] [NAME]"
"""How a line is written in one option."""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One line to test from."""

    country: str
    egress: str = "direct"
    """As in `[[vantage]] egress`."""
    asn: int = 0
    """0 when not known."""
    network: str = ""
    role: VantageRole = VantageRole.FIELD


class Answers(msgspec.Struct, frozen=True, kw_only=True):
    """All answers."""

    countries: tuple[str, ...]
    """Those that are watched."""
    lines: tuple[Line, ...] = ()
    """Field lines and controls."""
    follow: bool = True
    """Whether measurements that others take are followed."""
    messages: tuple[str, ...] = ()
    """Addresses as Apprise writes them."""
    users: str = ""
    """File of those who may sign in; empty: none."""
    listen: str = ""
    """Address and port of the page; empty: the default."""
    mmdb: tuple[str, ...] = ()
    """Files that tell the network of an address."""
    echo: str = ""
    """URL that tells the address it sees; empty: none."""
    agents_at: tuple[str, int] | None = None
    """Host and port where agents reach this machine; None: it takes none."""
    certificate: str = ""
    """File of the certificate that agents are served with, and of its key."""


def line_of(text: str, country: str, role: VantageRole = VantageRole.FIELD) -> Line:
    """A line as `LINE_FORM` has it; `country` where it names none.

    Raises ValueError that says what would be right and never repeats a credential.
    """
    words = text.split()
    if words and _CODE.fullmatch(words[0]):
        country = country_code(words.pop(0).upper())
    if not words:
        raise ValueError(f'{LINE_FORM}, as in "direct 17557 PTCL"')
    if not country:
        raise ValueError('the country first, as in "DE socks5://host:1080"')
    egress = words.pop(0)
    parse_egress(egress)
    asn = as_number(words.pop(0)) if words and _ASN.fullmatch(words[0]) else 0
    return Line(country=country, egress=egress, asn=asn, network=" ".join(words), role=role)


def agents_at(text: str) -> tuple[str, int]:
    """Host and port where agents reach this machine. Raises ValueError."""
    host, port = split_host_port(text.removeprefix("https://").rstrip("/"), _AGENTS_PORT)
    if is_unspecified(host):
        raise ValueError(
            f"{host} cannot be reached by agents: write this machine's own address or name"
        )
    return host, port


def as_number(text: str) -> int:
    """`17557` or `AS17557`. Raises ValueError."""
    found = _ASN.fullmatch(text.strip())
    if found is None or int(found[1]) > LARGEST_ASN:
        raise ValueError("the number of the network, as in 17557; 0 when not known")
    return int(found[1])


def config_text(answers: Answers) -> str:
    """The file."""
    top = {"listen": answers.listen} if answers.listen else {}
    tables = [
        *(("[[vantage]]", fields) for fields in _vantages(answers.lines)),
        *(("[[source]]", fields) for fields in _sources(answers)),
        *([("[server]", {"users": answers.users})] if answers.users else []),
        *(
            [("[[notify.route]]", {"name": "people", "urls": list(answers.messages)})]
            if answers.messages
            else []
        ),
        *([("[vantage_check]", _check(answers))] if answers.mmdb else []),
        *([("[collector]", _collector(answers))] if answers.agents_at else []),
    ]
    parts = [_HEADER, *([_fields(top)] if top else [])]
    parts += [f"{name}\n{_fields(fields)}" for name, fields in tables]
    return "\n".join(parts)


def _vantages(lines: Sequence[Line]) -> Iterator[dict[str, Any]]:
    ids: set[str] = set()
    for line in lines:
        control = line.role is VantageRole.CONTROL
        named = _slug(line.network) or (f"as{line.asn}" if line.asn else "")
        base = "-".join(filter(None, ("control" if control else "", line.country.lower(), named)))
        base = base[:50].strip("-")
        id_ = next(
            one
            for one in (base, *(f"{base}-{n}" for n in range(2, len(lines) + 2)))
            if one not in ids
        )
        ids.add(id_)
        yield {
            "id": id_,
            "country": line.country,
            **({"asn": line.asn} if line.asn else {}),
            **({"network": line.network} if line.network else {}),
            "role": line.role.value,
            "egress": line.egress,
        }


def _sources(answers: Answers) -> Iterator[dict[str, Any]]:
    if answers.follow:
        for kind in ("ooni", "ioda"):
            yield {"kind": kind, "countries": list(answers.countries)}


def _check(answers: Answers) -> dict[str, Any]:
    return {"mmdb": list(answers.mmdb), **({"echo": [answers.echo]} if answers.echo else {})}


def _collector(answers: Answers) -> dict[str, Any]:
    assert answers.agents_at is not None  # noqa: S101 # asked before
    host, port = answers.agents_at
    six = ":" in host
    return {
        "listen": f"{'[::]' if six else '0.0.0.0'}:{port}",  # noqa: S104 # agents are elsewhere
        "certificate": answers.certificate,
        "certificate_key": answers.certificate,
        "urls": [f"https://{f'[{host}]' if six else host}:{port}"],
    }


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _fields(fields: dict[str, Any]) -> str:
    # Strings, numbers and arrays are the same in JSON and TOML.
    lines = (f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in fields.items())
    return "".join(f"{line}\n" for line in lines)
