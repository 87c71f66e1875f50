"""`shutwatch agent join`: a machine becomes a vantage by an invitation."""

import asyncio
import os
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from monitor.agent.paths import AgentFiles, files_of, usual_folder
from monitor.agent.saved_state import LAST_CYCLE, RECEIPT, LastCycle, LastReceipt, recalled
from monitor.agent.service import ServiceError, Systemd, install, obstacle, this_program
from monitor.agent.traces import CONFIG
from monitor.cli.counts import counted
from monitor.cli.exits import (
    BAD_USAGE,
    bad_usage,
    exit_on,
    fail,
    from_standard_input,
    was_interrupted,
)
from monitor.cli.terminal_lines import fitting
from monitor.config.agent import proxy_url
from monitor.config.load import load_config
from monitor.config.settings import Settings
from monitor.config.toml_problem import ConfigError
from monitor.config.typed_command import typed_command
from monitor.keys.keys import KeyFileError
from monitor.logs import configure
from monitor.wire.invitation import Token, TokenError, read_token
from storage.agent.spool import read_spool
from storage.store import StorageError

STANDARD_INPUT = "-"
_LONGEST = 16 * 1024
"""Characters of an invitation that are read."""
_LOOK = 0.3
"""Seconds between two looks whether something was delivered."""
_CYCLES = 2
"""Intervals for which the first delivery is waited for."""


def join(
    token: Annotated[
        str,
        typer.Argument(
            metavar="[TOKEN]",
            help="The invitation from the operator; - reads standard input. Without it you are "
            "asked, and no shell keeps it.",
            show_default=False,
        ),
    ] = "",
    folder: Annotated[
        Path | None,
        typer.Option(
            help="Folder for the agent's files. Default: /var/lib/shutwatch-agent for root, else "
            "one in your home.",
            show_default=False,
        ),
    ] = None,
    proxy: Annotated[
        str, typer.Option(metavar="URL", help="Reach the collector through this proxy.")
    ] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Agree without being asked.")] = False,
    start: Annotated[
        bool, typer.Option("--start/--no-start", help="Start the agent once it has joined.")
    ] = True,
) -> None:
    """Make this machine a vantage, by an invitation of `shutwatch vantage invite`.

    Shows what you agree to, makes the key, enrols it, and starts the agent: as a service for root
    where systemd runs, here until you stop it everywhere else."""
    folder = (folder or usual_folder()).absolute()
    if proxy:
        try:
            proxy_url(proxy)
        except ValueError as error:  # the URL may hold a password: it is not repeated
            raise bad_usage(f"--proxy: write {error}") from None
    if token == STANDARD_INPUT and not yes:
        raise bad_usage("add --yes: standard input is the invitation, so you cannot be asked")
    with exit_on(TokenError, code=BAD_USAGE):
        invitation = read_token(_given(token))
    with exit_on(OSError, code=BAD_USAGE):
        joined = (folder / CONFIG).exists()
    if joined:
        raise bad_usage(
            f"{folder} has an agent already: `shutwatch agent status` shows it; name another "
            "--folder, or end that one with `shutwatch agent wipe`"
        )
    # Loads what sends, as the other commands do not.
    from monitor.agent.join import RefusedInvitationError, terms

    with exit_on(RefusedInvitationError, code=BAD_USAGE):
        for line in fitting(terms(invitation)):
            typer.echo(line)
    if not yes:
        typer.confirm("Do you agree", abort=True)
    began = time.monotonic()
    settings = _enrolled(folder, invitation, proxy)
    typer.echo(f"Joined: this machine is {invitation.vantage}. Its files are in {folder}.")
    files, systemd, program = files_of(settings), Systemd(), this_program()
    command = f"{typed_command('agent run')} --config {files.config}"
    if not start:
        typer.echo(f"To start it:\n  {command}")
    elif why := obstacle(systemd, folder, program):
        typer.echo(f"Not a service: {why}. It runs here until you stop it. Later:\n  {command}")
        in_background(files, settings, began)
        configure(settings.log)
        with exit_on(StorageError, OSError):
            # As in `agent run`: loaded only here.
            from monitor.agent.run_agent import run as run_agent

            asyncio.run(run_agent(settings))
    else:
        with exit_on(ServiceError, OSError):
            install(systemd, program)
        typer.echo("It runs as the service shutwatch-agent. Waiting for its first results …")
        _say_first(files, settings, began)


def _given(token: str) -> str:
    if token == STANDARD_INPUT:
        return from_standard_input(lambda: sys.stdin.read(_LONGEST))
    if token:
        return token
    try:
        return str(typer.prompt("Invitation", err=True))
    except typer.Abort as nothing:
        if was_interrupted(nothing):
            raise
        typer.echo(err=True)
        raise bad_usage("name the invitation; `-` reads it from standard input") from nothing


def _enrolled(folder: Path, token: Token, proxy: str) -> Settings:
    """The settings of the agent, whose key is enrolled now. Exits where that fails."""
    from monitor.agent.join import (
        FolderInUseError,
        JoinError,
        RefusedInvitationError,
        enrol,
        finish,
        give_up,
        kept_in,
        own_key,
        prepare,
    )

    wrong = exit_on(
        *(ConfigError, FolderInUseError, KeyFileError, RefusedInvitationError), code=BAD_USAGE
    )
    with exit_on(JoinError, OSError), wrong:
        kept = kept_in(folder)
        try:
            draft = prepare(folder, token, proxy, os.environ)
            asyncio.run(enrol(draft, token, own_key(folder)))
            return load_config(finish(draft), os.environ)
        except BaseException as error:
            with suppress(OSError):
                give_up(folder, kept, refused=isinstance(error, RefusedInvitationError))
            raise


def in_background(files: AgentFiles, settings: Settings, began: float) -> threading.Thread:
    """The same as `_say_first` beside the agent, which goes on whatever became of its results."""

    def say() -> None:
        with suppress(typer.Exit, OSError):
            _say_first(files, settings, began)

    thread = threading.Thread(target=say, daemon=True)
    thread.start()
    return thread


def _say_first(files: AgentFiles, settings: Settings, began: float) -> None:
    """Wait until a collector acknowledged results, and say so; `began` is when joining began."""
    patience = _CYCLES * settings.interval
    while time.monotonic() - began < patience:
        with suppress(StorageError):
            _, notes = read_spool(files.spool)
            first = recalled(notes, RECEIPT, LastReceipt)
            cycle = recalled(notes, LAST_CYCLE, LastCycle)
            if first is not None and cycle is not None:
                typer.echo(
                    f"First results delivered after {time.monotonic() - began:.0f} s: "
                    f"{counted(first.measurements, 'measurement')}, vantage {cycle.health}"
                )
                return
        time.sleep(_LOOK)
    raise fail("nothing was delivered yet: `shutwatch agent status` says why")
