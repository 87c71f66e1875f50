"""`shutwatch report countersign` and `report stamp`: others say something about a report."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.bars import progress
from monitor.cli.counts import counted
from monitor.cli.exits import bad_usage, exit_on, fail
from monitor.cli.options import ConfigOption, load_settings
from monitor.cli.own_files import refuse_own_file
from monitor.cli.verify import KeyOption, checked
from monitor.config.settings import TimestampSettings
from monitor.keys.keys import (
    KeyFileError,
    fingerprint,
    grouped,
    key_path,
    load_or_make,
    public_text,
)

if TYPE_CHECKING:  # loads cryptography, which help does without
    from monitor.report.verify import Verified

ReportFile = Annotated[Path, typer.Argument(help="Report made by `shutwatch report`.")]
OutputOption = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="File to write. Default: the report itself."),
]


def countersign(
    file: ReportFile,
    name: Annotated[str, typer.Option(help="How your organisation is called.")],
    note: Annotated[str, typer.Option(help="What you want to say about it, such as a check.")] = "",
    key: KeyOption = "",
    key_file: Annotated[
        Path | None,
        typer.Option(help="Your key, made where there is none. Default: the installation's."),
    ] = None,
    output: OutputOption = None,
    config: ConfigOption = None,
) -> None:
    """Check a report of another organisation, and sign that you had it."""
    from monitor.report.seals import (
        COUNTERSIGNATURE,
        LONGEST_TEXT,
        Trusted,
        countersignature,
        with_seals,
    )

    if not name or max(len(name), len(note)) > LONGEST_TEXT:
        raise bad_usage(
            f"--name and --note take up to {LONGEST_TEXT} characters, --name at least 1"
        )
    verified = checked(file, key, Trusted())
    if key_file:
        path, settings = key_file, None
    else:
        settings = load_settings(config)
        path = key_path(settings.signing_key, settings.source, settings.database)
    if output:
        refuse_own_file(output, settings, path)
    with exit_on(KeyFileError):
        own = load_or_make(path)
    digits = fingerprint(public_text(own))
    if digits == verified.manifest.fingerprint:
        raise bad_usage(f"{path} is the key that made this report: another one must countersign")
    signed = countersignature(own, verified.text, name=name, note=note, at=datetime.now(UTC))
    with exit_on(OSError, ValueError):
        with_seals(file, output or file, [(COUNTERSIGNATURE, signed)])
    typer.echo(f"{output or file}: countersigned by {grouped(digits)} ({path})", err=True)


def stamp(
    file: ReportFile,
    authority: Annotated[
        list[str] | None, typer.Option(help="URL of a time authority (RFC 3161). Repeatable.")
    ] = None,
    calendar: Annotated[
        list[str] | None, typer.Option(help="URL of a calendar of OpenTimestamps. Repeatable.")
    ] = None,
    output: OutputOption = None,
    config: ConfigOption = None,
) -> None:
    """Ask others to say since when a report exists, and complete what they promised."""
    from monitor.report.seals import Trusted

    verified = checked(file, "", Trusted())
    own = load_settings(config)
    if output:
        refuse_own_file(output, own)
    settings = own.timestamps
    if authority or calendar:
        settings = TimestampSettings(
            authorities=tuple(authority or ()),
            calendars=tuple(one.rstrip("/") for one in calendar or ()),
            roots=settings.roots,
        )
    if not settings.authorities and not settings.calendars:
        raise bad_usage("name whom to ask: --authority, --calendar, or [timestamps] in the file")
    if not add_stamps(file, output or file, verified, settings):
        raise fail(f"{file}: no stamp was added")


def add_stamps(file: Path, output: Path, verified: "Verified", settings: TimestampSettings) -> int:
    """Write the report with the stamps that the settings ask for; returns how many there are. What
    failed goes to standard error."""
    from monitor.recording.scheduled_stamping import read_roots
    from monitor.report.seals import with_seals
    from monitor.report.stamping import stamps_for

    with exit_on(OSError, ValueError):
        with progress("asking for stamps"):
            stamped = asyncio.run(
                stamps_for(
                    verified.text,
                    authorities=settings.authorities,
                    calendars=settings.calendars,
                    roots=read_roots(settings),
                    promises=verified.seals.proofs,
                )
            )
        for reason in stamped.failed:
            typer.echo(f"shutwatch: no stamp by {reason}", err=True)
        if stamped.seals:
            with_seals(file, output, stamped.seals)
            typer.echo(f"{output}: stamped {counted(len(stamped.seals), 'time')}", err=True)
    return len(stamped.seals)
