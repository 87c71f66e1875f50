"""`shutwatch init`: write a configuration, from questions or from options."""

import asyncio
import re
import shlex
import sys
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from monitor.cli.doctor import examined, print_checked
from monitor.cli.exits import BAD_USAGE, bad_usage, exit_on, from_standard_input
from monitor.cli.init_dialogue import ask
from monitor.cli.init_files import check_name, missing_variables, write_example, written
from monitor.cli.terminal_lines import fitting
from monitor.config.country_code import country_code
from monitor.config.settings import Settings
from monitor.config.typed_command import typed_command
from monitor.logs import LogSettings, configure
from monitor.measuring.weaknesses import untold, weaknesses
from monitor.setup.answers import LINE_FORM, Answers, Line, agents_at, line_of
from monitor.wording.findings import finding_text
from monitor.wording.words import words_in
from probes.sockets.system_resolvers import system_resolvers
from probes.vantage import VantageRole

DEFAULT_NAME = "shutwatch.toml"
_PASSWORD = re.compile(r"//.*@")
"""Up to the last @, as `parse_egress` reads it: a password may hold anything."""
_WITHOUT_ANSWERS = frozenset({"path", "example", "force"})
"""What may be said beside `--example`."""


@exit_on(OSError, prefix="cannot write ")
def init(
    context: typer.Context,
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
    check_name(path, force=force)
    if example:
        _refuse_answers(context)
        write_example(path, _example())
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
    settings = written(path, answers, name, password, force=force)
    _say_what_is_left(path, settings)
    on_terminal = not given and sys.stdin.isatty()
    if try_it or (
        try_it is None and on_terminal and typer.confirm("Try everything now?", default=True)
    ):
        configure(LogSettings(level="warning", format=settings.log.format))
        print_checked(asyncio.run(examined(settings)))
    _say_next(path, collects=answers.agents_at is not None)


def _refuse_answers(context: typer.Context) -> None:
    """Exit where something was said that an example has no place for."""
    for one in context.command.params:
        source = context.get_parameter_source(one.name or "")
        given = source is not None and source.name == "COMMANDLINE"
        if given and one.name not in _WITHOUT_ANSWERS:
            said = context.params[one.name or ""]
            option = (*one.opts, *one.secondary_opts)[-1 if said is False else 0]
            raise bad_usage(f"--example writes no answers: leave out {option}, or --example")


def _codes(countries: Sequence[str]) -> tuple[str, ...]:
    found = []
    for one in countries:
        with exit_on(ValueError, code=BAD_USAGE, prefix=f"--country {one!r}: "):
            found.append(country_code(one))
    return tuple(dict.fromkeys(found))


def _agents_at(text: str) -> tuple[str, int]:
    with exit_on(ValueError, code=BAD_USAGE, prefix=f"--collector {text!r}: "):
        return agents_at(text)


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
        for one in missing_variables(path.read_text(encoding="utf-8"))
    ]
    for line in fitting(f"  - {one}" for one in left):
        typer.echo(line)


def _say_next(path: Path, *, collects: bool = False) -> None:
    file = shlex.quote(str(path))
    typer.echo(
        f"Next, type:\n  {typed_command('doctor')} --config {file}\n"
        f"  {typed_command('collector' if collects else 'run')} --config {file}"
    )
    if collects:
        typer.echo(
            f"Then, for each agent:\n  {typed_command('vantage')} invite ID --country CODE "
            f"--asn NUMBER --network NAME --config {file}"
        )
