"""`shutwatch vantage`: which agents may speak for which vantage, and whom to leave out."""

import sys
from datetime import datetime
from typing import Annotated

import msgspec
import typer

from monitor.app.clock import utc_now
from monitor.cli.export import moment_of
from monitor.cli.options import BAD_USAGE, ConfigOption, fail, load_settings
from monitor.cli.store_options import with_store
from monitor.cli.vantage_key import NoKeyError, public_key
from monitor.cli.vantage_table import Known, known_vantages, print_vantages
from monitor.config.settings import Settings
from monitor.config.toml_node import did_you_mean
from monitor.config.values import LARGEST_ASN, is_vantage_id
from monitor.keys.keys import (
    KeyFileError,
    fingerprint,
    grouped,
    key_path,
    load_or_make,
    public_text,
)
from probes.catalog.countries import country_code
from probes.vantage import Profile, VantageRole
from storage.store import CollectorStore
from storage.values.fleet import Enrolment, Quarantine

Id = Annotated[str, typer.Argument(metavar="ID", help="Id of the vantage.")]
Key = Annotated[
    str,
    typer.Option("--key", help="The agent's public key, a file with it, or - for standard input."),
]
Reason = Annotated[str, typer.Option(help="Why, for those who ask later.")]


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(help="Which agents may speak for which vantage, and whom to leave out.")
    app.add_typer(group, name="vantage", no_args_is_help=True)

    @group.command("enroll")
    def enroll(
        vantage: Id,
        country: Annotated[str, typer.Option(help="ISO 3166-1 alpha-2 code, such as PK.")],
        asn: Annotated[int, typer.Option(help="AS number of its network.", min=0, max=LARGEST_ASN)],
        network: Annotated[str, typer.Option(help="Name of its network, for people.")],
        key: Key,
        role: Annotated[VantageRole, typer.Option(help="Where blocking may happen, or not.")] = (
            VantageRole.FIELD
        ),
        profile: Annotated[Profile, typer.Option(help="quiet for hosts at risk.")] = Profile.NORMAL,
        config: ConfigOption = None,
    ) -> None:
        """Let an agent's key speak for a new vantage; print what its host needs next."""
        settings = load_settings(config)
        _check_id(vantage, settings)
        if not network.strip() or not network.isprintable():
            raise fail("--network must be a name, such as PTCL", BAD_USAGE)
        public = _public(key)
        enrolment = Enrolment(
            vantage=vantage,
            country=_country(country),
            asn=asn,
            network=network.strip(),
            role=role.value,
            profile=profile.value,
            key=public,
            fingerprint=fingerprint(public),
            enrolled_at=utc_now(),
        )

        async def store_it(store: CollectorStore) -> None:
            known = {one.vantage: one for one in await known_vantages(store)}
            _check_key(known, enrolment.fingerprint)
            if vantage in known and known[vantage].key is not None:
                raise fail(
                    f"{vantage} has a key already: `shutwatch vantage rotate {vantage} --key …` "
                    "gives it another one; nothing was changed",
                    BAD_USAGE,
                )
            await store.enrol(enrolment)

        collectors = _collectors_key(settings)
        with_store(settings, store_it, create=True)
        _tell_host(enrolment, collectors)

    @group.command("rotate")
    def rotate(vantage: Id, key: Key, config: ConfigOption = None) -> None:
        """Give a vantage a new key; the old one is revoked at the same moment."""
        settings = load_settings(config)
        public = _public(key)

        async def replace_key(store: CollectorStore) -> None:
            known = {one.vantage: one for one in await known_vantages(store)}
            before = _enrolled(known, vantage)
            _check_key(known, fingerprint(public))
            await store.enrol(
                msgspec.structs.replace(
                    before,
                    key=public,
                    fingerprint=fingerprint(public),
                    enrolled_at=utc_now(),
                    revoked_at=None,
                    reason="",
                )
            )

        with_store(settings, replace_key)
        typer.echo(f"{vantage}: from now on only this key may speak for it:")
        typer.echo(f"  {grouped(fingerprint(public))}")

    @group.command("revoke")
    def revoke(vantage: Id, reason: Reason, config: ConfigOption = None) -> None:
        """Let nobody speak for a vantage any more. What it handed in stays."""

        async def take_away(store: CollectorStore) -> None:
            known = {one.vantage: one for one in await known_vantages(store)}
            _enrolled(known, vantage)
            if not await store.revoke(vantage, utc_now(), _reason(reason)):
                raise fail(f"{vantage} has no key that may speak; nothing was changed", BAD_USAGE)

        with_store(load_settings(config), take_away)
        typer.echo(f"{vantage}: its key is revoked")
        typer.echo(
            "What it handed in still counts; `shutwatch vantage quarantine` leaves it out.",
            err=True,
        )

    @group.command("quarantine")
    def quarantine(
        vantage: Id,
        reason: Reason,
        since: Annotated[
            str, typer.Option(help="First moment of which looks are left out, UTC. Default: all.")
        ] = "",
        until: Annotated[
            str, typer.Option(help="First moment of which looks count again, UTC. Default: never.")
        ] = "",
        config: ConfigOption = None,
    ) -> None:
        """Leave a vantage's results out of events, past ones too."""
        settings = load_settings(config)
        begin, end = moment_of("--since", since), moment_of("--until", until)
        if begin is not None and end is not None and begin >= end:
            raise fail("--since must be before --until", BAD_USAGE)

        async def leave_out(store: CollectorStore) -> None:
            places = {one.vantage: one.country for one in await known_vantages(store)}
            places |= {one.id: one.country for one in settings.vantages}
            if vantage not in places:
                raise fail(_nobody(vantage, places), BAD_USAGE)
            await store.quarantine(
                Quarantine(
                    vantage=vantage,
                    country=places[vantage],
                    since=begin,
                    until=end,
                    reason=_reason(reason),
                    at=utc_now(),
                )
            )

        with_store(settings, leave_out)
        typer.echo(f"{vantage}: left out{_span(begin, end)}")

    @group.command("release")
    def release(vantage: Id, config: ConfigOption = None) -> None:
        """Let a vantage in quarantine count again."""

        async def let_count(store: CollectorStore) -> None:
            if not await store.release(vantage):
                held = [one.vantage for one in await store.quarantines()]
                hint = did_you_mean(vantage, held) or "`shutwatch vantage list` shows all"
                raise fail(f"{vantage} is not in quarantine: {hint}", BAD_USAGE)

        with_store(load_settings(config), let_count)
        typer.echo(f"{vantage}: counts again")

    @group.command("list")
    def show(
        json: Annotated[bool, typer.Option("--json", help="One JSON object per vantage.")] = False,
        config: ConfigOption = None,
    ) -> None:
        """List vantages with a key, or in quarantine."""
        found = with_store(load_settings(config), known_vantages)
        if json:
            for one in found:
                sys.stdout.buffer.write(msgspec.json.encode(one) + b"\n")
            sys.stdout.flush()
        elif found:
            print_vantages(found)
        else:
            typer.echo("No vantage is enrolled, and none in quarantine.", err=True)


def _check_id(vantage: str, settings: Settings) -> None:
    if not is_vantage_id(vantage):
        raise fail(
            f"{vantage!r} is no vantage's id: lower-case letters, digits and single dashes, as in "
            "khi-ptcl",
            BAD_USAGE,
        )
    if vantage in {one.id for one in settings.vantages}:
        raise fail(
            f"{vantage} is a vantage of this configuration itself ({settings.source}): give the "
            "agent's another id",
            BAD_USAGE,
        )


def _country(given: str) -> str:
    try:
        return country_code(given)
    except ValueError as error:
        raise fail(f"--country {given!r}: {error.args[0]}", BAD_USAGE) from error


def _public(given: str) -> str:
    try:
        return public_key(given)
    except NoKeyError as error:
        raise fail(f"--key: {error}", BAD_USAGE) from error


def _reason(given: str) -> str:
    if not given.strip() or not given.isprintable():
        raise fail("--reason must say why, in one line", BAD_USAGE)
    return given.strip()


def _check_key(known: dict[str, Known], digits: str) -> None:
    """No two vantages with one key, and none that was revoked."""
    for one in known.values():
        for enrolment in one.keys:
            if enrolment.fingerprint == digits:
                was = "is" if enrolment.revoked_at is None else "was, until it was revoked,"
                raise fail(
                    f"--key: that {was} the key of {one.vantage}: make a new one for each vantage; "
                    "nothing was changed",
                    BAD_USAGE,
                )


def _enrolled(known: dict[str, Known], vantage: str) -> Enrolment:
    """What the vantage was enrolled as last. Exits when it never was."""
    if vantage not in known or not known[vantage].keys:
        enrolled = {one.vantage: one.country for one in known.values() if one.keys}
        raise fail(_nobody(vantage, enrolled), BAD_USAGE)
    return known[vantage].keys[-1]


def _nobody(vantage: str, known: dict[str, str]) -> str:
    hint = did_you_mean(vantage, known) or "`shutwatch vantage list` shows all"
    return f"there is no vantage {vantage!r}: {hint}; nothing was changed"


def _span(begin: datetime | None, end: datetime | None) -> str:
    since = f" from {begin:%Y-%m-%d %H:%M}Z" if begin else ""
    until = f" to {end:%Y-%m-%d %H:%M}Z" if end else ""
    return since + until or ", whatever it saw and sees"


def _collectors_key(settings: Settings) -> str:
    """The public key that agents must know, made when there is none yet."""
    path = key_path(settings.signing_key, settings.source, settings.database)
    try:
        return public_text(load_or_make(path))
    except KeyFileError as error:
        raise fail(str(error)) from error


def _tell_host(enrolment: Enrolment, collectors: str) -> None:
    text = {
        name: msgspec.json.encode(getattr(enrolment, name)).decode()
        for name in ("vantage", "country", "network", "role", "profile")
    }
    typer.echo(f"{enrolment.vantage}: enrolled, with the key")
    typer.echo(f"  {grouped(enrolment.fingerprint)}")
    typer.echo("Its host compares that with `shutwatch agent key`, and needs in agent.toml:\n")
    typer.echo(
        f"[[vantage]]\nid = {text['vantage']}\ncountry = {text['country']}\nasn = {enrolment.asn}\n"
        f"network = {text['network']}\nrole = {text['role']}\nprofile = {text['profile']}\n\n"
        f'[agent]\ncollectors = ["https://…"]\ncollector_key = "{collectors}"\n'
    )
    typer.echo("with the names of your collectors. The fingerprint of their key, to be told by")
    typer.echo("another way than these lines:")
    typer.echo(f"  {grouped(fingerprint(collectors))}")
