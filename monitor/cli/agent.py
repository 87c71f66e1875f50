"""`shutwatch agent`: measure from one vantage and send the results to collectors."""

import asyncio
import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from monitor.agent.collector_clock import AgentClock, this_machine
from monitor.agent.consent import consent_of
from monitor.agent.ordered_status import addresses, ordered_of
from monitor.agent.paths import (
    AgentFiles,
    RunsAlreadyError,
    absent,
    files_of,
    process_of,
    usual_folder,
)
from monitor.agent.revocation import RevokedKeyError
from monitor.agent.service import ServiceError, Systemd, is_service, remove
from monitor.agent.status import lines, status_of
from monitor.agent.traces import CONFIG as CONFIG_NAME
from monitor.agent.traces import Traces, is_of_another_kind, traces_at
from monitor.agent.wipe import LIMITS
from monitor.agent.wipe import wipe as wipe_files
from monitor.cli.agent_join import join
from monitor.cli.exits import BAD_USAGE, bad_usage, exit_on, fail
from monitor.cli.lazy_group import command_group
from monitor.cli.options import JsonOption, load_settings
from monitor.config.load import find_config, load_config
from monitor.config.settings import Settings
from monitor.config.toml_problem import ConfigError
from monitor.keys.keys import KeyFileError, fingerprint, grouped, load, public_text
from monitor.logs import configure
from storage.store import StorageError

AgentConfig = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        help="The agent's configuration file. Default: $SHUTWATCH_CONFIG, else where it joined.",
        show_default=False,
    ),
]

app = command_group("Measure from one vantage and send the results to collectors.")


app.command("join")(join)


@app.command("run")
@exit_on(StorageError, OSError, service=True)
@exit_on(KeyFileError, RunsAlreadyError, RevokedKeyError, code=BAD_USAGE)
def run(config: AgentConfig = None) -> None:
    """Measure and send until stopped."""
    from monitor.agent.run_agent import run as run_agent  # which the other commands do without

    settings, _ = _agent(config)
    configure(settings.log)
    asyncio.run(run_agent(settings))


@app.command("status")
@exit_on(StorageError)
def status(config: AgentConfig = None, json: JsonOption = False) -> None:
    """Show the agent's state, running or not."""
    settings, paths = _agent(config)
    configure(settings.log)
    found = status_of(settings, paths, this_machine())
    for line in [msgspec.json.encode(found).decode()] if json else lines(found):
        typer.echo(line)


@app.command("accept")
@exit_on(OSError)
def accept(
    config: AgentConfig = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    forget: Annotated[
        bool, typer.Option("--forget", help="Take back all that was accepted.")
    ] = False,
) -> None:
    """Show which new endpoints a collector ordered, and allow them."""
    settings, paths = _agent(config)
    configure(settings.log)
    consent = consent_of(settings, paths, AgentClock(this_machine()).latest_now)
    if forget:
        consent.forget()
        typer.echo("Nothing is accepted any more.")
    else:
        ordered = ordered_of(settings, paths, consent)
        new = [part for part in ordered.unused if part.acceptable] if ordered else []
        if not new:
            typer.echo("No order waits for you to accept it.")
            return
        for part in new:
            typer.echo(f"{part.name}:")
            for address in addresses(part):
                typer.echo(f"  {address}")
        if not yes:
            typer.confirm("Measure all of these from this line", abort=True)
        consent.accept(
            [one for part in new for one in part.endpoints],
            [one for part in new for one in part.references],
        )
        typer.echo("Accepted.")
    process = process_of(paths)
    # Its own number is that of one in another container.
    if process is not None and process != os.getpid():
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGHUP)  # it reads its files again


@app.command("key")
def key(config: AgentConfig = None) -> None:
    """Print the agent's public key, and the fingerprints to compare with the operator."""
    from monitor.keys.sealing import keys_fingerprint  # loads cryptography

    settings, paths = _agent(config)
    _print_key(paths.key)
    setup = settings.agent
    assert setup is not None  # noqa: S101 # asked of agents alone
    collectors = keys_fingerprint(setup.collector_key, setup.sealing_key)
    typer.echo(f"Fingerprint of the collectors' keys: {grouped(collectors)}")


@app.command("pause")
@exit_on(OSError)
def pause(config: AgentConfig = None) -> None:
    """Measure and send nothing until `resume`, even after a restart."""
    for mark in _pause_marks(config):
        mark.touch(mode=0o600)
    typer.echo("Paused: the agent measures nothing and sends nothing.")


@app.command("resume")
@exit_on(OSError)
def resume(config: AgentConfig = None) -> None:
    """Measure and send again after `pause`."""
    for mark in _pause_marks(config):
        mark.unlink(missing_ok=True)
    typer.echo("Resumed.")


@app.command("wipe")
def wipe(
    config: AgentConfig = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    keep_config: Annotated[
        bool, typer.Option("--keep-config", help="Keep the configuration file.")
    ] = False,
) -> None:
    """Stop the agent, then overwrite and delete its key and data, whatever is left of its file."""
    file, traces = _traces(config)
    if not yes:
        for one in (*traces.keys, *traces.others, *(() if keep_config else traces.config)):
            typer.echo(f"  {one}")
        typer.confirm(
            "Delete these files? Results not sent yet are lost, and the agent must be enrolled "
            "again",
            abort=True,
        )
    with exit_on(OSError):
        done = wipe_files(file, keep_config=keep_config)
    if done.stopped:
        typer.echo("The agent was stopped.")
    for deleted in done.deleted:
        typer.echo(f"Deleted {deleted}")
    for left in done.left:
        typer.echo(f"Left, not known to be the agent's: {left}")
    with exit_on(ServiceError, OSError):
        if is_service(file) and remove(Systemd()):
            typer.echo("Removed the service.")
    typer.echo(LIMITS)
    if done.failed:
        raise fail("not everything was wiped:\n" + "\n".join(f"- {one}" for one in done.failed))


def _traces(config: Path | None) -> tuple[Path, Traces]:
    """The agent's file, which need not be there, and what there is of it. Exits where there is
    nothing."""
    named = find_config(config, os.environ) or usual_folder()
    with exit_on(OSError, code=BAD_USAGE):
        file = named / CONFIG_NAME if named.is_dir() else named
        if is_of_another_kind(file):
            raise bad_usage(
                f"{file} is no agent's, it has no [agent] table: name another file with --config"
            )
        traces = traces_at(file)
    if not traces.found:
        raise bad_usage(
            f"{file.parent.absolute()} holds nothing of an agent: name its file with --config"
        )
    return file, traces


def _pause_marks(config: Path | None) -> list[Path]:
    """What exists while an agent is paused. Its file need not load here: it may be half written, or
    name a variable that the service alone has. Then they are those of each spool that is there.
    Exits where there is none."""
    file = find_config(config, os.environ) or usual_folder() / CONFIG_NAME
    try:
        load_config(file, os.environ, asks_apprise=False)
    except ConfigError:
        with suppress(OSError):
            marks = [one.pause for one in traces_at(file).agents if one.spool.exists()]
            if marks:
                return marks
    return [_agent(config)[1].pause]


def _agent(config: Path | None) -> tuple[Settings, AgentFiles]:
    """The settings, which must be an agent's, and the paths of its files. Exits otherwise."""
    file = find_config(config, os.environ) or usual_folder() / CONFIG_NAME
    try:
        file.stat()
    except FileNotFoundError as error:
        raise bad_usage(absent(file)) from error
    except (OSError, ValueError):  # which whoever reads it tells
        pass
    settings = load_settings(file)
    if settings.agent is None:
        raise bad_usage(
            f"{settings.source} has no [agent] table: `shutwatch agent join` writes such a file"
        )
    return settings, files_of(settings)


@exit_on(KeyFileError, code=BAD_USAGE)
def _print_key(file: Path) -> None:
    public = public_text(load(file))
    typer.echo(f"Public key:  {public}\nFingerprint: {grouped(fingerprint(public))}")
