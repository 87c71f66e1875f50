"""`shutwatch init`: write a configuration, from questions or from options."""

import asyncio
import os
import re
import sys
from collections import ChainMap
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from monitor.cli.doctor import examined, print_checked
from monitor.cli.exits import BAD_USAGE, bad_usage, exit_on, from_standard_input
from monitor.cli.init_dialogue import ask
from monitor.config.country_code import country_code
from monitor.config.load import load_config
from monitor.config.settings import Settings
from monitor.config.toml_problem import ConfigError
from monitor.config.typed_command import typed_command
from monitor.keys.passwords import new_user
from monitor.logs import LogSettings, configure
from monitor.measuring.weaknesses import untold, weaknesses
from monitor.setup.answers import LINE_FORM, Answers, Line, config_text, line_of
from monitor.wording.findings import finding_text
from monitor.wording.words import words_in
from probes.catalog.endpoint_text import split_host_port
from probes.sockets.system_resolvers import system_resolvers
from probes.vantage import VantageRole
from storage.values.private_file import PRIVATE
from storage.values.steady_clock import utc_now

DEFAULT_NAME = "shutwatch.toml"
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_PASSWORD = re.compile(r"//[^/\s]*@")
_AGENTS_PORT = 8443
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL


@exit_on(OSError, code=BAD_USAGE, prefix="cannot write ")
def init(
    path: Annotated[Path, typer.Argument(help="File to write.")] = Path(DEFAULT_NAME),
    country: Annotated[
        list[str] | None,
        typer.Option(help="Watch this country; may be given again.", metavar="CODE"),
    ] = None,
    line: Annotated[
        list[str] | None,
        typer.Option(
            help=f'A line to test from: "{LINE_FORM}", as in "direct 17557 PTCL" or '
            '"socks5://user:${PASSWORD}@host:1080 45669 Jazz"; may be given again.',
            metavar="LINE",
        ),
    ] = None,
    control: Annotated[
        list[str] | None,
        typer.Option(
            help='A control, where nothing is blocked, as in "DE socks5://host:1080 24940 '
            'Hetzner"; may be given again.',
            metavar="LINE",
        ),
    ] = None,
    notify: Annotated[
        list[str] | None,
        typer.Option(
            help="Send messages to this address, as Apprise writes it; may be given again.",
            metavar="ADDRESS",
        ),
    ] = None,
    user: Annotated[
        str,
        typer.Option(
            help="Let this name sign in to the page; the password is the first line of standard "
            "input.",
            metavar="NAME",
        ),
    ] = "",
    listen: Annotated[
        str, typer.Option(help="Serve the page at this address and port.", metavar="ADDRESS")
    ] = "",
    collector: Annotated[
        str,
        typer.Option(
            help="Receive from agents, too, which reach this machine there, as in "
            "203.0.113.7:8443; makes the certificate.",
            metavar="HOST[:PORT]",
        ),
    ] = "",
    follow: Annotated[
        bool, typer.Option(help="Follow what others measure in the country, too.")
    ] = True,
    mmdb: Annotated[
        list[Path] | None,
        typer.Option(
            help="Look up the networks of this machine's lines in this file of MaxMind's format; "
            "may be given again.",
            metavar="FILE",
        ),
    ] = None,
    echo: Annotated[
        str,
        typer.Option(help="Ask this https URL which address a line has.", metavar="URL"),
    ] = "",
    try_it: Annotated[
        bool | None,
        typer.Option(
            "--try/--no-try",
            help="Try everything afterwards, as `doctor` does. On a terminal you are asked.",
            show_default=False,
        ),
    ] = None,
    example: Annotated[
        bool, typer.Option("--example", help="Write an example with every setting explained.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
) -> None:
    """Write a configuration: by questions on a terminal, or by options."""
    if path.exists() and not force:
        raise bad_usage(f"{path} exists already: name another, or add --force")
    if example:
        _write(path, _example(), force=force)
        _say_next(path)
        return
    if echo and not mmdb:
        raise bad_usage("--echo needs --mmdb, a file that tells whose the addresses are")
    given = bool(country or line or control or notify or user or listen)
    known = Answers(
        countries=_codes(country or []),
        follow=follow,
        messages=tuple(notify or ()),
        listen=listen,
        mmdb=tuple(str(one.absolute()) for one in mmdb or ()),
        echo=echo,
        agents_at=_agents_at(collector) if collector else None,
    )
    if not given and sys.stdin.isatty():
        answers, name, password = ask(known)
    elif not known.countries:
        raise bad_usage(
            "say which country to watch, as in --country PK; or type `shutwatch init` on a "
            "terminal, which asks; or add --example"
        )
    else:
        answers = _with_lines(known, line or [], control or [])
        name, password = user, _first_line() if user else ""
    settings = _written(path, answers, name, password, force=force)
    _say_what_is_left(path, settings)
    on_terminal = not given and sys.stdin.isatty()
    if try_it or (
        try_it is None and on_terminal and typer.confirm("Try everything now?", default=True)
    ):
        configure(LogSettings(level="warning", format=settings.log.format))
        print_checked(asyncio.run(examined(settings)))
    _say_next(path, collects=answers.agents_at is not None)


def _codes(countries: Sequence[str]) -> tuple[str, ...]:
    found = []
    for one in countries:
        with exit_on(ValueError, code=BAD_USAGE, prefix=f"--country {one!r}: "):
            found.append(country_code(one))
    return tuple(dict.fromkeys(found))


def _agents_at(text: str) -> tuple[str, int]:
    with exit_on(ValueError, code=BAD_USAGE, prefix=f"--collector {text!r}: "):
        return split_host_port(text.removeprefix("https://").rstrip("/"), _AGENTS_PORT)


def _with_lines(known: Answers, lines: Sequence[str], controls: Sequence[str]) -> Answers:
    made: list[Line] = []
    for option, texts, country, role in (
        ("--line", lines, known.countries[0], VantageRole.FIELD),
        ("--control", controls, "", VantageRole.CONTROL),
    ):
        for text in texts:
            with exit_on(
                ValueError, code=BAD_USAGE, prefix=f"{option} {_PASSWORD.sub('//****@', text)!r}: "
            ):
                made.append(line_of(text, country, role))
    if known.agents_at is not None:  # they are the lines
        return msgspec.structs.replace(known, lines=tuple(made))
    if made and not any(one.role is VantageRole.FIELD for one in made):
        raise bad_usage("a control alone compares nothing: add --line for a line in the country")
    if not made and not known.follow:
        raise bad_usage("nothing to watch by: add --line, or leave out --no-follow")
    return msgspec.structs.replace(known, lines=tuple(made))


def _first_line() -> str:
    return from_standard_input(sys.stdin.readline).rstrip("\r\n")


def _written(path: Path, answers: Answers, name: str, password: str, *, force: bool) -> Settings:
    """Write the files, and load what was written; nothing stays where it cannot be loaded."""
    users = path.with_name(f"{path.stem}-users.txt")
    made: list[Path] = []
    try:
        if name:
            with exit_on(ValueError, code=BAD_USAGE, prefix="give "):
                user = new_user(name, password)
            _write(users, f"{user.line}\n", force=force)
            made.append(users)
            answers = msgspec.structs.replace(answers, users=users.name)
        if answers.agents_at is not None:
            from monitor.keys.self_signed import self_signed  # loads cryptography

            certificate = path.with_name(f"{path.stem}-collector.pem")
            if not certificate.exists():
                _write(certificate, self_signed(utc_now(), answers.agents_at[0]).decode())
                made.append(certificate)
            _check_certificate(certificate, answers.agents_at[0])
            answers = msgspec.structs.replace(answers, certificate=certificate.name)
        text = config_text(answers)
        partial = path.with_name(f"{path.name}.partial")
        _write(partial, text, force=True)
        made.append(partial)
        load_config(partial, _with_missing(text))
        partial.replace(path)
        return load_config(path, _with_missing(text))
    except ConfigError as error:
        for problem in error.problems:
            typer.echo(str(problem).replace(".partial:", ":"), err=True)
        for file in made:
            file.unlink(missing_ok=True)
        raise bad_usage(f"{path} was not written: correct the answer above") from error
    except typer.Exit:
        for file in made:
            file.unlink(missing_ok=True)
        raise


def _check_certificate(file: Path, host: str) -> None:
    """Exit where a certificate that was there before is another host's. It is never replaced:
    agents trust it."""
    from monitor.keys.self_signed import is_for

    with exit_on(ValueError, code=BAD_USAGE, prefix=f"{file}: "):
        if not is_for(file.read_bytes(), host):
            raise bad_usage(
                f"{file} is the certificate of another host than {host}: name that one, or move "
                "the file away and invite the agents again"
            )


def _with_missing(text: str) -> Mapping[str, str]:
    """The environment, with a value for each variable that is only set where shutwatch runs."""
    return ChainMap(dict(os.environ), dict.fromkeys(_missing(text), "missing"))


def _missing(text: str) -> list[str]:
    names = dict.fromkeys(_VARIABLE.findall(text))
    return [one for one in names if one not in os.environ and f"{one}_FILE" not in os.environ]


def _write(path: Path, text: str, *, force: bool = False) -> None:
    """A file of mode 0600, since it may hold passwords."""
    if force:
        path.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(path, _NEW, PRIVATE), "wb") as out:
            out.write(text.encode())
    except FileExistsError as error:
        raise bad_usage(f"{path} exists already: name another, or add --force") from error


def _example() -> str:
    return files("monitor.config").joinpath("example_config.toml").read_text(encoding="utf-8")


def _say_what_is_left(path: Path, settings: Settings) -> None:
    typer.echo(f"Wrote {path}.")
    left = [
        finding_text(words_in(), one)
        for one in (*weaknesses(settings, system_resolvers()), *untold(settings))
    ]
    left += [
        f"The environment variable {one} is not set here: set it where shutwatch runs."
        for one in _missing(path.read_text(encoding="utf-8"))
    ]
    for one in left:
        typer.echo(f"  - {one}")


def _say_next(path: Path, *, collects: bool = False) -> None:
    typer.echo(
        f"Next, type:\n  {typed_command('doctor')} --config {path}\n"
        f"  {typed_command('collector' if collects else 'run')} --config {path}"
    )
    if collects:
        typer.echo(
            f"Then, for each agent:\n  {typed_command('vantage')} invite ID --country CODE "
            f"--asn NUMBER --network NAME --config {path}"
        )
