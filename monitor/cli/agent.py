"""`shutwatch agent`: look from one place in the field, and hand in what was seen."""

import asyncio
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from monitor.agent.collector_clock import this_machine
from monitor.agent.paths import AgentFiles, RunsAlreadyError, files_of
from monitor.agent.run_agent import run as run_agent
from monitor.agent.status import status_of
from monitor.agent.status_text import lines
from monitor.agent.wipe import LIMITS, StillRunsError, stop
from monitor.agent.wipe import wipe as wipe_files
from monitor.cli.options import BAD_USAGE, fail, load_settings
from monitor.config.settings import Settings
from monitor.keys.keys import KeyFileError, fingerprint, grouped, load, load_or_make, public_text
from monitor.logs import configure
from storage.store import StorageError

CONFIG_NAME = "agent.toml"
KEY_NAME = "agent-key.pem"

AgentConfig = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        help="The agent's configuration file. Default: $SHUTWATCH_CONFIG.",
        show_default=False,
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(help="Look from one place in the field, and hand in what was seen.")
    app.add_typer(group, name="agent", no_args_is_help=True)

    @group.command("init")
    def init(
        folder: Annotated[
            Path, typer.Argument(metavar="[DIR]", help="Folder to write to.", show_default=False)
        ] = Path(),
    ) -> None:
        """Make the agent's key and a configuration to fill in; print the key to hand over."""
        _init(folder)

    @group.command("run")
    def run(config: AgentConfig = None) -> None:
        """Look and hand in until stopped."""

        settings, _ = _agent(config)
        configure(settings.log)
        try:
            asyncio.run(run_agent(settings))
        except (KeyFileError, RunsAlreadyError) as error:
            raise fail(str(error), BAD_USAGE) from error
        except StorageError as error:
            raise fail(str(error)) from error
        except OSError as error:
            raise fail(f"{error.filename}: {error.strerror}") from error

    @group.command("status")
    def status(
        config: AgentConfig = None,
        json: Annotated[
            bool, typer.Option("--json", help="One JSON object on standard output.")
        ] = False,
    ) -> None:
        """Tell how the agent is, whether it runs or not."""
        _status(config, json=json)

    @group.command("key")
    def key(config: AgentConfig = None) -> None:
        """Print the agent's public key and its fingerprint once more."""
        _, where = _agent(config)
        _print_key(where.key)

    @group.command("pause")
    def pause(config: AgentConfig = None) -> None:
        """Send nothing from now on, until `resume`; a restart changes nothing."""
        _, where = _agent(config)
        try:
            where.pause.touch(mode=0o600)
        except OSError as error:
            raise fail(f"{where.pause}: {error.strerror}") from error
        typer.echo("Paused: nothing is looked at, and nothing is handed in.")

    @group.command("resume")
    def resume(config: AgentConfig = None) -> None:
        """Look and hand in again."""
        _, where = _agent(config)
        try:
            where.pause.unlink(missing_ok=True)
        except OSError as error:
            raise fail(f"{where.pause}: {error.strerror}") from error
        typer.echo("Resumed.")

    @group.command("wipe")
    def wipe(
        config: AgentConfig = None,
        yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
        keep_config: Annotated[
            bool, typer.Option("--keep-config", help="Leave the configuration file.")
        ] = False,
    ) -> None:
        """End the agent, then overwrite and delete its key and all it keeps."""
        _wipe(config, yes=yes, keep_config=keep_config)


def _agent(config: Path | None) -> tuple[Settings, AgentFiles]:
    """The settings, which must be an agent's, and where its files are. Exits otherwise."""
    settings = load_settings(config)
    if settings.agent is None:
        named = settings.source or "no configuration file is named, and the default"
        raise fail(f"{named} has no [agent] table: `shutwatch agent init` writes one", BAD_USAGE)
    return settings, files_of(settings)


def _init(folder: Path) -> None:
    config = folder / CONFIG_NAME
    content = files("monitor.agent").joinpath("example_agent.toml").read_bytes()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            with config.open("xb") as out:
                out.write(content)
            config.chmod(0o600)
            typer.echo(f"Wrote {config}. Fill in the vantage, the collectors and their key.")
        except FileExistsError:
            typer.echo(f"{config} is there already, and left as it is.")
        load_or_make(folder / KEY_NAME)
    except OSError as error:
        raise fail(f"{error.filename}: {error.strerror}", BAD_USAGE) from error
    except KeyFileError as error:
        raise fail(str(error), BAD_USAGE) from error
    _print_key(folder / KEY_NAME)
    typer.echo(
        "Hand the key to the operator, and read the fingerprint out by another way. Then:\n"
        f"  shutwatch check {config}\n  shutwatch agent run --config {config}"
    )


def _print_key(file: Path) -> None:
    try:
        public = public_text(load(file))
    except KeyFileError as error:
        raise fail(str(error), BAD_USAGE) from error
    typer.echo(f"Public key:  {public}\nFingerprint: {grouped(fingerprint(public))}")


def _status(config: Path | None, *, json: bool) -> None:
    settings, where = _agent(config)
    try:
        found = status_of(settings.vantages[0].id, where, this_machine())
    except StorageError as error:
        raise fail(str(error)) from error
    if json:
        typer.echo(msgspec.json.encode(found).decode())
        return
    for line in lines(found):
        typer.echo(line)


def _wipe(config: Path | None, *, yes: bool, keep_config: bool) -> None:
    _, where = _agent(config)
    if not yes:
        typer.confirm(
            f"Delete the key {where.key}, {where.spool} and all beside it? What was not handed in "
            "is lost, and the agent must be enrolled anew",
            abort=True,
        )
    try:
        if stop(where):
            typer.echo("The agent was ended.")
        for gone in wipe_files(where, config=not keep_config):
            typer.echo(f"Deleted {gone}")
    except StillRunsError as error:
        raise fail(str(error)) from error
    except OSError as error:
        raise fail(f"{error.filename}: {error.strerror}; the rest is gone") from error
    typer.echo(LIMITS)
