"""`shutwatch verify`: check a signed report."""

from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.exits import BAD_USAGE, exit_on, fail
from monitor.keys.keys import grouped, same_fingerprint
from monitor.report.bounded_unzip import NotAsMadeError
from monitor.report.signatures_text import checked
from monitor.report.verify import verify as check
from monitor.wording.visible_text import visible
from monitor.wording.words import words_in

NOT_AS_MADE = 3
"""Exit code for a report that was changed after it was made."""


def verify(
    file: Annotated[Path, typer.Argument(help="Report made by `shutwatch report`.")],
    key: Annotated[
        str, typer.Option(help="Expected fingerprint of the key, 64 hexadecimal digits.")
    ] = "",
) -> None:
    """Check every byte of a report, offline. Exit code 3 when it was changed."""
    if key:
        with exit_on(ValueError, code=BAD_USAGE, prefix="--key: "):
            same_fingerprint(key, "")
    try:
        with exit_on(OSError, code=BAD_USAGE):
            verified = check(file)
    except NotAsMadeError as error:
        raise fail(f"{file}: {visible(str(error))}", NOT_AS_MADE) from error
    manifest = verified.manifest
    if key and not same_fingerprint(key, manifest.fingerprint):
        raise fail(
            f"{file}: MANIFEST.sig is by another key: {grouped(manifest.fingerprint)}",
            NOT_AS_MADE,
        )
    about = f"{manifest.platform} in {manifest.country}, {manifest.since} to {manifest.until}"
    typer.echo(
        f"The report is unchanged: {len(manifest.files)} files, made by "
        f"{visible(manifest.made_by)} at {visible(manifest.generated_at)}."
    )
    typer.echo(f"About {visible(about)}.")
    if verified.signed is not None:
        typer.echo(checked(words_in(), verified.signed))
    typer.echo(f"Signed by {grouped(manifest.fingerprint)}")
    if key:
        typer.echo("That is the key you named.")
    else:
        typer.echo(
            "Compare this fingerprint with the one you know from elsewhere, or give that one "
            "with --key: only so you know whose key this is."
        )
