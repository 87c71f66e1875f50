"""`shutwatch sign`: sign a catalogue, by a key below one that is kept offline."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from monitor.cli.exits import BAD_USAGE, bad_usage, exit_on
from monitor.cli.lazy_group import command_group
from monitor.config.catalog import load_catalog, shipped_catalog
from monitor.config.proof_file import catalog_text, proof_path
from monitor.config.toml_problem import ConfigError
from monitor.keys.keys import KeyFileError, fingerprint, grouped, load, load_or_make, public_text
from monitor.wire.catalog_proof import LONGEST, Signer, fault_of, make_signer, prove
from storage.values.steady_clock import utc_now

_WEEKS = 5 * 7

app = command_group("Sign a catalogue for agents, by a key below one that is kept offline.")


@app.command("offline-key")
@exit_on(KeyFileError, code=BAD_USAGE)
def offline_key(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="File of the key.")],
) -> None:
    """Make the offline key, if there is none; print its fingerprint for agents' files."""
    digits = fingerprint(public_text(load_or_make(file)))
    typer.echo(
        f"Fingerprint: {grouped(digits)}\nHosts who trust it add to agent.toml, under [agent]:\n"
        f'  catalog_keys = ["{digits}"]\nKeep {file} on a machine that is on no network.'
    )


@app.command("signing-key")
@exit_on(KeyFileError, OSError, code=BAD_USAGE)
def signing_key(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="File of the signing key.")],
    offline: Annotated[Path, typer.Option("--offline", help="File of the offline key.")],
    days: Annotated[
        int, typer.Option("--days", min=1, max=LONGEST.days, help="Days that it is valid.")
    ] = _WEEKS,
) -> None:
    """Make a new signing key, and sign it with the offline key."""
    if file.exists():
        raise bad_usage(f"{file} exists: give each signing key a file of its own")
    above = load(offline)
    begins = utc_now()
    signer = make_signer(above, load_or_make(file), begins, begins + timedelta(days=days))
    _signer_path(file).write_bytes(msgspec.json.format(msgspec.json.encode(signer)) + b"\n")
    typer.echo(
        f"Wrote {file} and {_signer_path(file)}, valid until {signer.ends:%Y-%m-%d %H:%M}Z.\n"
        "Take both to where catalogues are signed. Agents take no older signing key once they "
        "saw a catalogue signed by this one."
    )


@app.command("catalog")
@exit_on(KeyFileError, OSError, code=BAD_USAGE)
def catalog(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The catalogue.")],
    key: Annotated[Path, typer.Option("--key", help="File of the signing key.")],
) -> None:
    """Sign a catalogue file; its signatures are written beside it."""
    with exit_on(ConfigError, code=BAD_USAGE):
        load_catalog(file, shipped_catalog())
    try:
        signer = msgspec.json.decode(_signer_path(key).read_bytes(), type=Signer)
    except msgspec.DecodeError as error:
        raise bad_usage(f"{_signer_path(key)} holds no signed key: {error}") from error
    text, now = catalog_text(file), utc_now()
    proof = prove(text, signer, load(key), now)
    trusted = {fingerprint(signer.offline)}
    if fault := fault_of(proof, text, trusted=trusted, now=now, newest=None):
        raise bad_usage(f"{file} is not signed, agents would not take it: {fault}")
    proof_path(file).write_bytes(msgspec.json.format(msgspec.json.encode(proof)) + b"\n")
    typer.echo(f"Wrote {proof_path(file)}. Agents take it until {signer.ends:%Y-%m-%d %H:%M}Z.")


def _signer_path(key: Path) -> Path:
    """Where the offline key's signature of a signing key is."""
    return key.with_name(f"{key.name}.signed")
