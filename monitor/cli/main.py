"""The command line, `shutwatch …`: the table of its commands, and the entry point."""

import gc
import os
import signal
import sys
from contextlib import suppress

# While the libraries below load, Ctrl-C ends the program without a traceback.
_interrupted = signal.getsignal(signal.SIGINT)
with suppress(ValueError):  # a thread may load this too
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import typer  # noqa: E402

from monitor import __version__  # noqa: E402
from monitor.cli.exits import exit_when_output_is_lost  # noqa: E402
from monitor.cli.lazy_group import lazy_group  # noqa: E402
from monitor.cli.typed_values import leave_pydantic_out  # noqa: E402

COMMANDS = {
    "run": "Measure, judge and store, and serve the page and metrics until stopped.",
    "collector": "Receive agents' measurements, judge them, and serve the page and metrics.",
    "agent": "Measure from one vantage and send the results to collectors.",
    "control": "Serve as a control for monitors and collectors elsewhere.",
    "once": "Measure one cycle from every vantage and print the verdicts. Stores nothing.",
    "probe": "Test endpoints and show every layer. Judges nothing, stores nothing.",
    "demo": "Watch an invented country block X and lift the block: no root, no internet, a minute.",
    "export": "Write stored data to files.",
    "report": "Write one signed file to publish: PDF, web page, charts and the data behind them.",
    "verify": "Check every byte of a report, offline. Exit code 3 when it was changed.",
    "notify": "Send test messages, and list notifications and their delivery.",
    "judge": "Judge measurements that others took.",
    "ooni": "Work with OONI's volunteers.",
    "globalping": "Ask for a second opinion on a platform now.",
    "atlas": "Ask RIPE Atlas for a second opinion on a platform now.",
    "replay": "Run recorded or imported data through the analysis, by its own clock.",
    "rejudge": "Judge stored measurements again by today's rules. Old results stay unchanged.",
    "event": "List and show detected events, and review them.",
    "annotate": "Import, list and remove dated facts: elections, court orders, denials.",
    "init": "Write a configuration: by questions on a terminal, or by options.",
    "check": "List every mistake in a configuration, or what it watches and from where.",
    "doctor": "Try everything once: lines, controls, clock, disk, database, messages.",
    "catalog": "Show what is measured, or try whether it is still true.",
    "sign": "Sign a catalogue for agents, by a key below one that is kept offline.",
    "db": "Back up, restore, check, upgrade or move the database.",
    "password": "Ask for a password and print the line for the file that `[server] users` names.",
    "vantage": "Invite agents, revoke their keys, and quarantine vantages.",
    "audit": "List what people did, oldest first: who, when (UTC), what and on what.",
    "completion": "Print a script that completes commands and options when you press Tab.",
    "manual": "Print the manual page, for `man`.",
}
"""The first paragraph of each command's help. `lazy_group` says where each command is."""

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""

_OBJECTS = 20_000
"""Objects made and not dropped until Python searches for garbage. By default it does so after 700,
and searches what was imported, which is none, again and again: for a tenth of a start."""

# httpx's own command line, which it imports where rich and click are installed.
_NEVER = ("httpx._main",)
# What runs for good paints nothing, but structlog would import rich for it.
_PAINTING = ("rich",)
_SERVICES = {"agent", "run", "collector", "control"}
_ended_by: list[int] = []
"""Signals other than Ctrl-C."""


def _terminate(number: int, _: object) -> None:
    """End as on Ctrl-C, so that what is half written is put away; a second SIGTERM ends at once."""
    signal.signal(number, signal.SIG_DFL)
    _ended_by.append(number)
    signal.raise_signal(signal.SIGINT)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"shutwatch {__version__}")
        raise typer.Exit


def _root(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version and exit."
    ),
) -> None:
    """Detect within minutes, with evidence, when a country blocks a platform."""


app = typer.Typer(
    name="shutwatch",
    cls=lazy_group(COMMANDS),
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.callback()(_root)
leave_pydantic_out()
with suppress(ValueError):
    signal.signal(signal.SIGINT, _interrupted)


def main() -> None:
    """Entry point of the `shutwatch` command."""
    with suppress(KeyboardInterrupt):  # before a command could take it
        left_out = _NEVER + (_PAINTING if _SERVICES.intersection(sys.argv[1:2]) else ())
        # None makes an import of them fail, as if they were not installed.
        sys.modules.update(dict.fromkeys(left_out))  # type: ignore[arg-type]
        gc.set_threshold(_OBJECTS, *gc.get_threshold()[1:])
        # Of a program that was started without one.
        sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: PTH123, SIM115
        if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:  # as shells set it behind &
            signal.signal(signal.SIGTERM, _terminate)
        try:
            with exit_when_output_is_lost():
                app()
        finally:
            if _ended_by:  # its parent sees by what
                signal.raise_signal(_ended_by[0])
    sys.exit(INTERRUPTED)
