"""`shutwatch vantage`: the keys of vantages, and their quarantine."""

import base64
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from monitor.acting import quarantining
from monitor.acting.acts import COMMAND_LINE, ActError
from monitor.cli.exits import BAD_USAGE, bad_usage, exit_on
from monitor.cli.lazy_group import command_group
from monitor.cli.options import ConfigOption, JsonOption, load_settings
from monitor.cli.output import print_json
from monitor.cli.selection import moment_of
from monitor.cli.store_options import with_store
from monitor.cli.vantage_table import Known, known_vantages, print_vantages, time_range
from monitor.config.as_numbers import LARGEST_ASN
from monitor.config.catalog import shipped_catalog
from monitor.config.country_code import country_code
from monitor.config.settings import Settings
from monitor.config.toml_node import did_you_mean
from monitor.config.vantage_id import is_vantage_id
from monitor.keys.keys import (
    ORDERS_KEY_NAME,
    KeyFileError,
    grouped,
    key_path,
    load_or_make,
    public_text,
)
from monitor.wire.invitation import Token, new_secret, proof_digest, write_token
from monitor.wording.visible_text import visible
from probes.vantage import Profile, VantageRole
from storage import url as database_url
from storage.store import CollectorStore
from storage.values.fleet import Invitation
from storage.values.steady_clock import utc_now

Id = Annotated[str, typer.Argument(metavar="ID", help="Id of the vantage.")]
Reason = Annotated[str, typer.Option(help="Reason, kept for later readers.")]


VALID = timedelta(hours=1)
"""How long an invitation can be used."""
_EXAMPLE = "--country PK --asn 17557 --network PTCL"

app = command_group("Invite agents, revoke their keys, and quarantine vantages.")


@app.command("invite")
def invite(
    vantage: Id,
    country: Annotated[
        str | None, typer.Option(metavar="CODE", help="Its country, ISO 3166-1 alpha-2.")
    ] = None,
    asn: Annotated[
        int | None, typer.Option(help="AS number of its network.", min=0, max=LARGEST_ASN)
    ] = None,
    network: Annotated[
        str | None, typer.Option(help="Name of its network, for people.", show_default=False)
    ] = None,
    role: Annotated[
        VantageRole | None,
        typer.Option(help="field: blocking may happen there. control: it does not."),
    ] = None,
    profile: Annotated[Profile | None, typer.Option(help="quiet for hosts at risk.")] = None,
    host: Annotated[
        str | None,
        typer.Option(
            metavar="LABEL",
            help="A label of your own for whoever runs it: vantages of one host count as one.",
        ),
    ] = None,
    trust_anchor: Annotated[
        Path | None,
        typer.Option(
            help="PEM file of the one certificate or authority that the agent trusts. Default: the "
            "collector's own where it is self-signed, else the authorities of its system."
        ),
    ] = None,
    qr: Annotated[bool, typer.Option("--qr", help="Show it as a QR code, too.")] = False,
    config: ConfigOption = None,
) -> None:
    """Print an invitation: `shutwatch agent join` makes a machine the vantage by it, once, within
    an hour. Of a vantage that had a key, only what changes needs to be told."""
    from monitor.keys.sealing import keys_fingerprint  # loads cryptography

    settings = load_settings(config)
    _check_id(vantage, settings)
    urls = settings.collector.urls
    if not urls:
        raise bad_usage(
            "say where agents reach this collector, in the configuration: [collector] urls = "
            '["https://collector.example.org"]'
        )
    platforms = tuple(one.name for one in settings.catalog.platforms)
    if not {one.name for one in shipped_catalog().platforms}.intersection(platforms):
        raise bad_usage(
            "an agent begins with platforms that shutwatch ships, and this configuration tests "
            "none of them: add one to [catalog] platforms"
        )
    given = {
        "country": None if country is None else _country(country),
        "asn": asn,
        "network": None if network is None else _network(network),
        "role": role and role.value,
        "profile": profile and profile.value,
        "held_by": None if host is None else _host(host),
    }
    anchor = _anchor(settings, trust_anchor)
    signing, sealing = _collectors_keys(settings)
    secret, now = new_secret(), utc_now()
    missing = _missing_file(settings)

    async def add(store: CollectorStore) -> Token:
        if missing is not None:  # opening the store made it, whatever becomes of the invitation
            _say_new_database(missing)
        known = (await known_vantages(store)).get(vantage)
        whole = _described(vantage, known, given)
        token = Token(
            **{name: whole[name] for name in whole if name != "held_by"},
            secret=secret,
            vantage=vantage,
            collectors=urls,
            signing=base64.b64decode(signing),
            sealing=base64.b64decode(sealing),
            anchor=anchor,
            expires=int((now + VALID).timestamp()),
            interval=settings.interval,
            platforms=platforms,
            daily_bytes=settings.probe.daily_bytes,
        )
        await store.invite(
            Invitation(
                **whole,
                digest=proof_digest(token.proof),
                vantage=vantage,
                made_at=now,
                expires_at=now + VALID,
            )
        )
        return token

    token = with_store(settings, add, create=True)
    written = write_token(token)
    typer.echo(
        f"On the machine that is to be {vantage}, before {now + VALID:%H:%M} UTC and once, type "
        "`shutwatch agent join` and this.\nPass it on as you would a password. Tell the host over "
        "another channel the fingerprint of the collectors' keys:\n"
        f"  {grouped(keys_fingerprint(signing, sealing))}\n",
        err=True,
    )
    if qr:
        from monitor.cli.qr_code import show_qr  # loads rich and segno

        show_qr(written, Path(f"{vantage}-invitation.png"))
    typer.echo(written)
    if token.role == VantageRole.CONTROL:
        typer.echo(
            "\nA control decides for others. Two of unrelated hosts must agree, or one of this "
            "collector's own configuration, before anything is certain.",
            err=True,
        )


@app.command("revoke")
def revoke(vantage: Id, reason: Reason, config: ConfigOption = None) -> None:
    """Revoke a vantage's key, and withdraw its invitation. Its earlier measurements stay."""

    async def revoke_key(store: CollectorStore) -> None:
        _check_known(await known_vantages(store), vantage)
        if not await store.revoke(vantage, utc_now(), _reason(reason)):
            raise bad_usage(f"{vantage} has no valid key, and no open invitation")

    with_store(load_settings(config), revoke_key)
    typer.echo(f"{vantage}: no key and no invitation of it is valid any more")
    typer.echo(
        "Its earlier measurements still count; `shutwatch vantage quarantine` excludes them.",
        err=True,
    )


@app.command("quarantine")
def quarantine(
    vantage: Id,
    reason: Reason,
    since: Annotated[
        str, typer.Option(help="Time of the first result to exclude, UTC. Default: all.")
    ] = "",
    until: Annotated[
        str, typer.Option(help="Time from which results count again, UTC. Default: never.")
    ] = "",
    config: ConfigOption = None,
) -> None:
    """Exclude a vantage's results from events and availability, past ones too."""
    settings = load_settings(config)
    begin, end = moment_of("--since", since), moment_of("--until", until)
    if begin is not None and end is not None and begin >= end:
        raise bad_usage("--since must be before --until")

    async def add(store: CollectorStore) -> None:
        known = await known_vantages(store)
        countries = {name: one.country for name, one in known.items()}
        countries |= {one.id: one.country for one in settings.vantages}
        roles = {name: one.keys[-1].role for name, one in known.items() if one.keys}
        roles |= {one.id: one.role for one in settings.vantages}
        await quarantining.quarantine(
            store,
            countries,
            vantage,
            controls=[name for name, role in roles.items() if role == VantageRole.CONTROL],
            reason=_reason(reason),
            since=begin,
            until=end,
            who=COMMAND_LINE,
            now=utc_now(),
        )

    with exit_on(ActError, code=BAD_USAGE):
        with_store(settings, add)
    typer.echo(f"{vantage}: in quarantine{time_range(begin, end) or ', all its results'}")


@app.command("release")
def release(vantage: Id, config: ConfigOption = None) -> None:
    """End a vantage's quarantine: its results count again."""

    async def end(store: CollectorStore) -> None:
        await quarantining.release(store, vantage, who=COMMAND_LINE, now=utc_now())

    with exit_on(ActError, code=BAD_USAGE):
        with_store(load_settings(config), end)
    typer.echo(f"{vantage}: counts again")


@app.command("list")
def show(json: JsonOption = False, config: ConfigOption = None) -> None:
    """List vantages that have a key or are in quarantine."""
    found = with_store(load_settings(config), known_vantages)
    if json:
        print_json(found.values())
    elif found:
        print_vantages(found.values())
    else:
        typer.echo("No vantage is enrolled, and none in quarantine.", err=True)


def _missing_file(settings: Settings) -> Path | None:
    """The file of the database where it is not there yet."""
    name = database_url.file_of(settings.database)
    file = Path(name).absolute()
    return file if name and not file.exists() else None


def _say_new_database(file: Path) -> None:
    """A relative `database` is another file in every folder, and so is the key beside it."""
    typer.echo(
        f"shutwatch: there was no database {visible(str(file))}: a new one was made. Before a "
        "collector's first start that is right, but a collector that runs already has another, "
        "and does not know this invitation → type this in the folder it was started in, or write "
        "the whole path in `database`\n",
        err=True,
    )


def _check_id(vantage: str, settings: Settings) -> None:
    if not is_vantage_id(vantage):
        raise bad_usage(
            f"{vantage!r} is not a vantage id: lower-case letters, digits and single dashes, as in "
            "khi-ptcl"
        )
    if vantage in {one.id for one in settings.vantages}:
        raise bad_usage(
            f"{vantage} is a vantage of this configuration ({settings.source}): choose another id "
            "for the agent's"
        )


def _country(given: str) -> str:
    with exit_on(ValueError, code=BAD_USAGE, prefix=f"--country {given!r}: "):
        return country_code(given)


def _network(given: str) -> str:
    if not given.strip() or not given.isprintable() or "$" in given:
        raise bad_usage("--network must be a name, such as PTCL")
    return given.strip()


def _host(given: str) -> str:
    if not is_vantage_id(given or "none"):
        raise bad_usage("--host must be lower-case letters, digits and single dashes, as in host-7")
    return given


def _described(vantage: str, known: Known | None, given: Mapping[str, Any]) -> dict[str, Any]:
    """The vantage as it is now described, else as it was enrolled last. Exits where it is new and
    something is missing."""
    said = {name: value for name, value in given.items() if value is not None}
    if known is not None and known.keys:
        last = known.keys[-1]
        return {name: said.get(name, getattr(last, name)) for name in given}
    missing = [f"--{name}" for name in ("country", "asn", "network") if name not in said]
    if missing:
        raise bad_usage(f"{vantage} is new: say {' and '.join(missing)}, as in {_EXAMPLE}")
    return {"role": "field", "profile": "normal", "held_by": "", **said}


def _anchor(settings: Settings, named: Path | None) -> bytes:
    """The certificate, in DER, that an agent trusts in place of its system's authorities; empty for
    none."""
    file = named or settings.collector.certificate
    if not file:
        return b""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    try:
        with exit_on(OSError, code=BAD_USAGE):
            chain = x509.load_pem_x509_certificates(Path(file).read_bytes())
    except ValueError as error:
        raise bad_usage(f"{file}: holds no certificate in PEM") from error
    if named is not None and len(chain) != 1:
        raise bad_usage(f"--trust-anchor: {named} holds {len(chain)} certificates: give it one")
    last = chain[-1]
    trusted = named is not None or last.issuer == last.subject
    return last.public_bytes(Encoding.DER) if trusted else b""


def _reason(given: str) -> str:
    if not given.strip() or not given.isprintable():
        raise bad_usage("--reason must be one line of text")
    return given.strip()


def _check_known(known: dict[str, Known], vantage: str) -> None:
    """Exit when it was never enrolled, and is not invited."""
    may = {one.vantage: one.country for one in known.values() if one.keys or one.invited_until}
    if vantage not in may:
        raise bad_usage(_unknown(vantage, may))


def _unknown(vantage: str, known: dict[str, str]) -> str:
    hint = did_you_mean(vantage, known) or quarantining.SHOWS_ALL
    return f"there is no vantage {vantage!r}: {hint}; nothing was changed"


def _collectors_keys(settings: Settings) -> tuple[str, str]:
    """The collectors' public keys that agents need, to check answers by and to seal to; made when
    there are none yet."""
    from monitor.keys.sealing import sealing_key, sealing_text

    setting = settings.collector.orders_key
    path = key_path(setting, settings.source, settings.database, ORDERS_KEY_NAME)
    with exit_on(KeyFileError):
        key = load_or_make(path)
    return public_text(key), sealing_text(sealing_key(key))
