"""`shutwatch report` and `shutwatch verify`: a signed file for those who publish, and its check."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.export import moment_of
from monitor.cli.options import BAD_USAGE, ConfigOption, fail, load_settings
from monitor.cli.store_options import with_store
from monitor.config.catalog import shipped_catalog
from monitor.config.settings import Settings
from monitor.config.toml_node import did_you_mean
from monitor.keys.keys import KeyFileError, grouped, key_path, load_or_make, same_fingerprint
from monitor.report.archive import TooLargeError
from monitor.report.bounded_unzip import NotAsMadeError
from monitor.report.build import Made, build
from monitor.report.findings import Wanted
from monitor.report.foreign_text import unmarked
from monitor.report.optional_libraries import MissingExtraError
from monitor.report.signatures_text import checked
from monitor.report.verify import verify as check
from monitor.wording.languages import BY_CODE, ENGLISH, Language
from monitor.wording.plain import visible
from monitor.wording.words import words_in
from probes.catalog.countries import COUNTRIES
from storage.values.fleet import CollectorStore

NOT_AS_MADE = 3
"""Exit code of `verify` for a report that is not as it was made."""


def register(app: typer.Typer) -> None:
    """Add both commands."""

    @app.command()
    def report(
        country: Annotated[str, typer.Option(help="ISO 3166-1 alpha-2 code.")],
        platform: Annotated[str, typer.Option(help="Platform name, as in the catalogue.")],
        since: Annotated[
            str, typer.Option(help="First moment, UTC: 2024-02-17 or 2024-02-17T18:00.")
        ],
        until: Annotated[
            str, typer.Option(help="First moment no longer wanted, UTC. Default: now.")
        ] = "",
        output: Annotated[Path, typer.Option("--output", "-o", help="File to write.")] = Path(
            "report.zip"
        ),
        with_vantages: Annotated[
            bool, typer.Option("--with-vantages", help="Name vantages, not only their networks.")
        ] = False,
        all_measurements: Annotated[
            bool,
            typer.Option(
                "--all-measurements",
                help="Enclose every measurement, not only those around the start and the end.",
            ),
        ] = False,
        signed_batches: Annotated[
            bool,
            typer.Option(
                "--signed-batches",
                help="Enclose what agents sent, byte by byte; needs --with-vantages.",
            ),
        ] = False,
        language: Annotated[
            str, typer.Option(help=f"Language of the document: {', '.join(BY_CODE)}.")
        ] = ENGLISH.code,
        config: ConfigOption = None,
    ) -> None:
        """Make one signed file to pass on: PDF, web page, charts and the data behind them."""

        if signed_batches and not with_vantages:
            raise fail(
                "--signed-batches needs --with-vantages: what a vantage signed names it", BAD_USAGE
            )
        if language not in BY_CODE:
            raise fail(f"--language {language!r} is not one of {', '.join(BY_CODE)}", BAD_USAGE)
        settings = load_settings(config)
        now = datetime.now(UTC)
        # Nothing is known about the future.
        start, end = moment_of("--since", since), min(moment_of("--until", until) or now, now)
        if start is None or start >= end:
            raise fail("--since must be a moment before --until, and before now", BAD_USAGE)
        if country.upper() not in COUNTRIES:
            raise fail(f"--country {country!r} is no code of ISO 3166-1, such as PK", BAD_USAGE)
        wanted = Wanted(
            country=country.upper(),
            platform=platform,
            since=start,
            until=end,
            with_vantages=with_vantages,
            all_measurements=all_measurements,
            signed_batches=signed_batches,
        )
        _make(settings, wanted, output, _title(settings, platform), now, BY_CODE[language])

    @app.command()
    def verify(
        file: Annotated[Path, typer.Argument(help="A file that `shutwatch report` made.")],
        key: Annotated[
            str, typer.Option(help="Fingerprint the key must have, 64 hexadecimal digits.")
        ] = "",
    ) -> None:
        """Check a report to the last byte, offline. Exit code 3 when it is not as it was made."""

        try:
            if key:
                same_fingerprint(key, "")
            verified = check(file)
        except ValueError as error:
            raise fail(f"--key: {error}", BAD_USAGE) from error
        except NotAsMadeError as error:
            raise fail(f"{file}: {visible(str(error))}", NOT_AS_MADE) from error
        except OSError as error:
            raise fail(f"{file}: {error.strerror or error}", BAD_USAGE) from error
        manifest = verified.manifest
        if key and not same_fingerprint(key, manifest.fingerprint):
            raise fail(
                f"{file}: MANIFEST.sig is by another key: {grouped(manifest.fingerprint)}",
                NOT_AS_MADE,
            )
        about = f"{manifest.platform} in {manifest.country}, {manifest.since} to {manifest.until}"
        typer.echo(
            f"Every byte is as it was made: {len(manifest.files)} files, made by "
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
                "Whose key that is, only somebody who knows the fingerprint from elsewhere can "
                "say: compare it, or give it with --key."
            )


def _title(settings: Settings, platform: str) -> str:
    """The platform's name for people; exits with 2 for one that no catalogue has."""
    known = {one.name: one.title for one in shipped_catalog().platforms}
    known |= {one.name: one.title for one in settings.catalog.platforms}
    if platform not in known:
        hint = did_you_mean(platform, known) or f"one of {', '.join(sorted(known))}"
        raise fail(f"--platform {platform!r} is in no catalogue: {hint}", BAD_USAGE)
    return known[platform]


def _make(
    settings: Settings,
    wanted: Wanted,
    output: Path,
    title: str,
    now: datetime,
    language: Language,
) -> None:
    path = key_path(settings.signing_key, settings.source, settings.database)

    async def work(store: CollectorStore) -> Made:
        return await build(
            store,
            wanted,
            output,
            load_or_make(path),
            title=title,
            interval=settings.interval,
            generated_at=now,
            language=language,
        )

    try:
        made = with_store(settings, work)
    except MissingExtraError as error:
        raise fail(str(error), BAD_USAGE) from error
    except (KeyFileError, TooLargeError) as error:
        raise fail(str(error)) from error
    except OSError as error:
        raise fail(f"{output}: {error.strerror or error}") from error
    typer.echo(f"{output}: {unmarked(made.headline)}", err=True)
    typer.echo(f"signed by {grouped(made.manifest.fingerprint)} ({path})", err=True)
