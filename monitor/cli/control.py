"""`shutwatch control`: a control for monitors and collectors elsewhere, on a rented server."""

import asyncio
import os
import socket
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from monitor.cli.exits import BAD_USAGE, bad_usage, exit_on
from monitor.cli.lazy_group import command_group
from monitor.config.catalog import load_catalog, shipped_catalog
from monitor.config.country_code import country_code
from monitor.config.settings import ThrottlingSettings
from monitor.config.toml_problem import ConfigError
from monitor.control.admitted import Place, admitted
from monitor.control.limits import Limits
from monitor.logs import LogSettings, configure
from monitor.wording.listening import REASONS
from probes.catalog.endpoint_text import parse_host, split_host_port

_PORT, _HTTPS = 1080, 443
_GIGABYTE = 1_000_000_000
_ANYWHERE = ("0.0.0.0", "::")  # noqa: S104 # what people write for every address
_NOBODY = ("192.0.2.1", 9)
"""An address of no host (RFC 5737): to connect UDP to it sends nothing, and shows our own."""

app = command_group("Serve as a control for monitors and collectors elsewhere.")


@app.callback()
def _group() -> None:
    """Keep `serve` a command of its own."""


@app.command("serve")
def serve(
    country: Annotated[
        str, typer.Option(metavar="CODE", help="Where this server is, ISO 3166-1 alpha-2.")
    ],
    listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Address and port to listen at.")
    ] = f"0.0.0.0:{_PORT}",
    address: Annotated[
        str,
        typer.Option(
            metavar="HOST",
            help="Where the monitor reaches this server. Default: the address it goes out by.",
        ),
    ] = "",
    folder: Annotated[
        Path | None,
        typer.Option(
            help="Folder for certificate and password. Default: /var/lib/shutwatch-control for "
            "root, else one in your home.",
            show_default=False,
        ),
    ] = None,
    new_password: Annotated[
        bool, typer.Option("--new-password", help="Make another password; the old one ends.")
    ] = False,
    connections: Annotated[
        int, typer.Option(help="Connections carried at once.", min=1, max=10_000)
    ] = Limits().connections,
    daily_gigabytes: Annotated[
        int, typer.Option(help="Traffic carried in a day, at most.", min=1, max=100_000)
    ] = Limits().daily_bytes // _GIGABYTE,
    catalog: Annotated[
        Path | None,
        typer.Option(help="A catalogue file of your own, which adds to the shipped one."),
    ] = None,
    also: Annotated[
        list[str] | None,
        typer.Option(
            metavar="HOST[:PORT]",
            help="Another host to carry to, such as a reference of yours; may be given again.",
        ),
    ] = None,
) -> None:
    """Carry a control's tests to what the catalogue lists, and to nothing else; print the lines for
    the monitor's configuration."""
    # What help does without is imported here.
    from monitor.app.run_until_stopped import run_until_stopped
    from monitor.control.exit_server import ExitServer
    from monitor.control.identity import identity, lines, way_out

    with exit_on(ValueError, code=BAD_USAGE, prefix=f"--country {country!r}: "):
        code = country_code(country)
    with exit_on(ValueError, code=BAD_USAGE, prefix=f"--listen {listen!r}: "):
        host, port = split_host_port(listen, _PORT)
    if address:
        with exit_on(ValueError, code=BAD_USAGE, prefix=f"--address {address!r}: "):
            address = parse_host(address.removeprefix("[").removesuffix("]"))
    limits = Limits(connections=connections, daily_bytes=daily_gigabytes * _GIGABYTE)
    places = _places(catalog, also or [])
    # Before a password is replaced: where nothing can listen, the new one would never be shown.
    with _bound(host, port) as listening:
        with exit_on(OSError, ValueError, code=BAD_USAGE):
            made, password = identity(folder or _usual_folder(), new_password=new_password)
            tls = made.context()
        if password:
            egress = way_out(made, password, address or _own(host), listening.getsockname()[1])
            typer.echo("Add to the monitor's or the collector's configuration:\n")
            typer.echo(lines(egress, code))
            typer.echo(f'Or give it to `shutwatch init`:\n\n--control "{code} {egress}"\n')
            typer.echo("The password is shown this once; --new-password makes another.")
        else:
            typer.echo("The password is the one shown before; --new-password makes another.")
        configure(LogSettings())
        server = ExitServer(places, made.login, tls, limits)

        async def serving() -> None:
            typer.echo(f"Serving as a control: {len(places)} hosts and ports, nothing else.")
            await server.serve(listening)

        asyncio.run(run_until_stopped(lambda: None, serving()))


def _places(file: Path | None, also: list[str]) -> frozenset[Place]:
    """What may be reached: all that is shipped, in the operator's own catalogue, or named."""
    catalog = shipped_catalog()
    if file is not None:
        with exit_on(ConfigError, code=BAD_USAGE):
            catalog = load_catalog(file, catalog)
    more = {(urlsplit(ThrottlingSettings().reference).hostname or "", _HTTPS)}
    for one in also:
        with exit_on(ValueError, code=BAD_USAGE, prefix=f"--also {one!r}: "):
            more.add(split_host_port(one, _HTTPS))
    return admitted(catalog) | more


def _usual_folder() -> Path:
    if os.geteuid() == 0:
        return Path("/var/lib/shutwatch-control")
    data = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(data).expanduser() / "shutwatch-control"


def _bound(host: str, port: int) -> socket.socket:
    """A socket at that address. Exits where it cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Where the kernel has no IPv6, the socket itself says so.
    both = host == "::" and socket.has_dualstack_ipv6()
    try:
        return socket.create_server((host, port), family=family, dualstack_ipv6=both)
    except OSError as error:
        reason = REASONS.get(error.errno or 0, error.strerror)
        if isinstance(error, socket.gaierror):
            reason = f"no such address; give one of this machine, such as 0.0.0.0:{_PORT}"
        raise bad_usage(f"cannot listen on {host} port {port}: {reason}") from error


def _own(host: str) -> str:
    """The address that this machine goes out by, unless it listens at a certain one."""
    if host not in _ANYWHERE:
        return host
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            out.connect(_NOBODY)
            return str(out.getsockname()[0])
    except OSError:
        return "ADDRESS-OF-THIS-SERVER"
