"""`shutwatch verify`: check a signed report."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.bars import progress
from monitor.cli.exits import BAD_USAGE, exit_on, fail
from monitor.cli.terminal_lines import fitting
from monitor.keys.keys import grouped, same_fingerprint
from monitor.wording.visible_text import visible

# What checks loads cryptography and rfc3161-client, which help does without.
if TYPE_CHECKING:
    from monitor.report.proven_text import Earlier
    from monitor.report.seals import Trusted
    from monitor.report.verify import Verified

NOT_AS_MADE = 3
"""Exit code for a report that was changed after it was made, or lacks what was asked for."""

KeyOption = Annotated[
    str, typer.Option(help="Expected fingerprint of the key, 64 hexadecimal digits.")
]


def verify(
    file: Annotated[Path, typer.Argument(help="Report made by `shutwatch report`.")],
    key: KeyOption = "",
    countersigned_by: Annotated[
        list[str] | None,
        typer.Option(help="Fingerprint of a key that must have countersigned it. Repeatable."),
    ] = None,
    vantage_key: Annotated[
        list[str] | None,
        typer.Option(help="Fingerprint of a vantage's key that must have signed. Repeatable."),
    ] = None,
    time_root: Annotated[
        Path | None,
        typer.Option(help="PEM file of the roots of time authorities that you trust."),
    ] = None,
    earlier: Annotated[
        Path | None,
        typer.Option(help="Older report of the same maker, whose log this one must continue."),
    ] = None,
    bitcoin_headers: Annotated[
        Path | None,
        typer.Option(help="File of lines HEIGHT HEADER, of blocks that you looked up."),
    ] = None,
) -> None:
    """Check every byte of a report, offline. Exit code 3 when it was changed."""
    from monitor.report.proven_text import Named, proven

    countersigners = {_digits("--countersigned-by", one) for one in countersigned_by or ()}
    vantages = {_digits("--vantage-key", one) for one in vantage_key or ()}
    verified = checked(file, key, _trusted(time_root, bitcoin_headers))
    signers = {one.fingerprint for one in verified.seals.countersignatures}
    for missing in sorted(countersigners - signers):
        raise fail(f"{file}: no countersignature by {grouped(missing)}", NOT_AS_MADE)
    measured = set(verified.signed.fingerprints if verified.signed else ())
    for missing in sorted(vantages - measured):
        raise fail(f"{file}: no batch is signed by {grouped(missing)}", NOT_AS_MADE)
    if (time_root or bitcoin_headers) and not _is_dated(verified):
        raise fail(f"{file}: no stamp leads to what you trust", NOT_AS_MADE)
    named = Named(
        maker=bool(key),
        earlier=_earlier(file, verified, earlier) if earlier else None,
        countersigners=frozenset(countersigners),
        vantages=frozenset(vantages),
    )
    manifest = verified.manifest
    about = f"{manifest.platform} in {manifest.country}, {manifest.since} to {manifest.until}"
    first = f"A report on {visible(about)}, by {visible(manifest.made_by)}."
    for line in fitting((first, *proven(verified, named))):
        typer.echo(line)


def checked(file: Path, key: str, trusted: "Trusted") -> "Verified":
    """The verified report; exits with 3 when it was changed, or `key` is not empty and another
    fingerprint than that of the key which signed it."""
    from monitor.report.bounded_unzip import NotAsMadeError
    from monitor.report.verify import verify as check

    digits = _digits("--key", key) if key else ""
    try:
        with exit_on(OSError, code=BAD_USAGE), progress("checking the report"):
            verified = check(file, trusted)
    except NotAsMadeError as error:
        raise fail(f"{file}: {visible(str(error))}", NOT_AS_MADE) from error
    found = verified.manifest.fingerprint
    if digits and digits != found:
        raise fail(f"{file}: MANIFEST.sig is by another key: {grouped(found)}", NOT_AS_MADE)
    return verified


def _earlier(file: Path, verified: "Verified", older: Path) -> "Earlier":
    """What the older report shows; exits with 3 where nothing shows that it is of the same maker,
    or that its log was not rewritten."""
    from monitor.report.log_file import Continuation, continuation
    from monitor.report.proven_text import Earlier
    from monitor.report.seals import Trusted

    before = checked(older, "", Trusted())
    found, digits = continuation(verified.log, before.log), before.manifest.fingerprint
    other = digits if digits != verified.manifest.fingerprint else ""
    by = f"; {older} is signed by another key, {grouped(other)}" if other else ""
    if found is Continuation.NOT_PROVEN:
        why = "it was rewritten, or is another installation's"
        if verified.log is None or before.log is None:
            why = "one of the two reports has none"
        raise fail(
            f"{file}: its maker's log does not continue that of {older}: {why}{by}", NOT_AS_MADE
        )
    if found is Continuation.EMPTY and other:
        raise fail(
            f"{file}: nothing shows that {older} is of the same maker: its log has no entry{by}",
            NOT_AS_MADE,
        )
    return Earlier(continuation=found, other_key=other)


def _digits(option: str, written: str) -> str:
    """The digits of a fingerprint that a person wrote."""
    bare = "".join(written.replace(":", "").split()).lower()
    with exit_on(ValueError, code=BAD_USAGE, prefix=f"{option}: "):
        same_fingerprint(written, "")
    return bare


def _trusted(time_root: Path | None, bitcoin_headers: Path | None) -> "Trusted":
    from monitor.report.seals import Trusted
    from monitor.stamps.opentimestamps import headers_in
    from monitor.stamps.time_authority import roots_in

    with exit_on(OSError, code=BAD_USAGE):
        with exit_on(ValueError, code=BAD_USAGE, prefix=f"{time_root}: "):
            roots = tuple(roots_in(time_root)) if time_root else ()
        with exit_on(ValueError, code=BAD_USAGE, prefix=f"{bitcoin_headers}: "):
            headers = headers_in(bitcoin_headers.read_text("utf-8")) if bitcoin_headers else {}
    return Trusted(roots=roots, headers=headers)


def _is_dated(verified: "Verified") -> bool:
    stamps = [times for _, times in verified.log.stamped] if verified.log else []
    return any(times.trusted is not None for times in (verified.seals.times, *stamps))
