"""`shutwatch vantage`: the keys of vantages, and their quarantine."""

from typing import Annotated

import msgspec
import typer

from monitor.cli.exits import BAD_USAGE, bad_usage, exit_on
from monitor.cli.lazy_group import command_group
from monitor.cli.options import ConfigOption, JsonOption, load_settings
from monitor.cli.output import print_json
from monitor.cli.selection import Country, moment_of
from monitor.cli.store_options import with_store
from monitor.cli.vantage_key import public_key
from monitor.cli.vantage_table import Known, known_vantages, print_vantages, time_range
from monitor.config.country_code import country_code
from monitor.config.settings import Settings
from monitor.config.toml_node import did_you_mean
from monitor.config.values import LARGEST_ASN, is_vantage_id
from monitor.keys.keys import (
    ORDERS_KEY_NAME,
    KeyFileError,
    fingerprint,
    grouped,
    key_path,
    load_or_make,
    public_text,
)
from monitor.keys.sealing import keys_fingerprint, sealing_key, sealing_text
from probes.vantage import Profile, VantageRole
from storage.store import CollectorStore
from storage.values.fleet import Enrolment, Quarantine
from storage.values.steady_clock import utc_now

Id = Annotated[str, typer.Argument(metavar="ID", help="Id of the vantage.")]
Key = Annotated[
    str,
    typer.Option("--key", help="The agent's public key, a file with it, or - for standard input."),
]
Reason = Annotated[str, typer.Option(help="Reason, kept for later readers.")]


app = command_group("Enroll and revoke agents' keys, and quarantine vantages.")


@app.command("enroll")
def enroll(
    vantage: Id,
    country: Country,
    asn: Annotated[int, typer.Option(help="AS number of its network.", min=0, max=LARGEST_ASN)],
    network: Annotated[str, typer.Option(help="Name of its network, for people.")],
    key: Key,
    role: Annotated[
        VantageRole, typer.Option(help="field: blocking may happen there. control: it does not.")
    ] = VantageRole.FIELD,
    profile: Annotated[Profile, typer.Option(help="quiet for hosts at risk.")] = Profile.NORMAL,
    host: Annotated[
        str,
        typer.Option(
            metavar="LABEL",
            help="A label of your own for whoever runs it: vantages of one host count as one.",
        ),
    ] = "",
    config: ConfigOption = None,
) -> None:
    """Enroll a new vantage with its agent's key; print its configuration."""
    settings = load_settings(config)
    _check_id(vantage, settings)
    if not network.strip() or not network.isprintable():
        raise bad_usage("--network must be a name, such as PTCL")
    if not is_vantage_id(host or "none"):
        raise bad_usage("--host must be lower-case letters, digits and single dashes, as in host-7")
    public = _public(key)
    with exit_on(ValueError, code=BAD_USAGE, prefix=f"--country {country!r}: "):
        code = country_code(country)
    enrolment = Enrolment(
        vantage=vantage,
        country=code,
        asn=asn,
        network=network.strip(),
        role=role.value,
        profile=profile.value,
        key=public,
        fingerprint=fingerprint(public),
        enrolled_at=utc_now(),
        held_by=host,
    )

    async def add(store: CollectorStore) -> None:
        known = await known_vantages(store)
        _check_key(known, enrolment.fingerprint)
        if vantage in known and known[vantage].key is not None:
            raise bad_usage(
                f"{vantage} has a key already: `shutwatch vantage rotate {vantage} --key …` "
                "replaces it; nothing was changed"
            )
        await store.enrol(enrolment)

    keys = _collectors_keys(settings)
    with_store(settings, add, create=True)
    _print_instructions(enrolment, *keys)
    if role is VantageRole.CONTROL:
        typer.echo(
            "A control decides for others. Two of unrelated hosts must agree, or one of this "
            "collector's own configuration, before anything is certain.",
            err=True,
        )


@app.command("rotate")
def rotate(vantage: Id, key: Key, config: ConfigOption = None) -> None:
    """Replace a vantage's key; the old key is revoked at once."""
    settings = load_settings(config)
    public = _public(key)

    async def replace_key(store: CollectorStore) -> None:
        known = await known_vantages(store)
        before = _last_enrolment(known, vantage)
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
    typer.echo(f"{vantage}: from now on only this key is accepted:")
    typer.echo(f"  {grouped(fingerprint(public))}")


@app.command("revoke")
def revoke(vantage: Id, reason: Reason, config: ConfigOption = None) -> None:
    """Revoke a vantage's key. Its earlier measurements stay."""

    async def revoke_key(store: CollectorStore) -> None:
        known = await known_vantages(store)
        _last_enrolment(known, vantage)
        if not await store.revoke(vantage, utc_now(), _reason(reason)):
            raise bad_usage(f"{vantage} has no valid key; nothing was changed")

    with_store(load_settings(config), revoke_key)
    typer.echo(f"{vantage}: its key is revoked")
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
    """Exclude a vantage's results from events, past ones too."""
    settings = load_settings(config)
    begin, end = moment_of("--since", since), moment_of("--until", until)
    if begin is not None and end is not None and begin >= end:
        raise bad_usage("--since must be before --until")

    async def add(store: CollectorStore) -> None:
        countries = {name: one.country for name, one in (await known_vantages(store)).items()}
        countries |= {one.id: one.country for one in settings.vantages}
        if vantage not in countries:
            raise bad_usage(_unknown(vantage, countries))
        await store.quarantine(
            Quarantine(
                vantage=vantage,
                country=countries[vantage],
                since=begin,
                until=end,
                reason=_reason(reason),
                at=utc_now(),
            )
        )

    with_store(settings, add)
    typer.echo(f"{vantage}: in quarantine{time_range(begin, end) or ', all its results'}")


@app.command("release")
def release(vantage: Id, config: ConfigOption = None) -> None:
    """End a vantage's quarantine: its results count again."""

    async def end(store: CollectorStore) -> None:
        if not await store.release(vantage):
            held = [one.vantage for one in await store.quarantines()]
            hint = did_you_mean(vantage, held) or "`shutwatch vantage list` shows all"
            raise bad_usage(f"{vantage} is not in quarantine: {hint}")

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


def _public(given: str) -> str:
    with exit_on(ValueError, code=BAD_USAGE, prefix="--key: "):
        return public_key(given)


def _reason(given: str) -> str:
    if not given.strip() or not given.isprintable():
        raise bad_usage("--reason must be one line of text")
    return given.strip()


def _check_key(known: dict[str, Known], digits: str) -> None:
    """Exit when another vantage has that key, or a revoked key is given again."""
    for one in known.values():
        for enrolment in one.keys:
            if enrolment.fingerprint == digits:
                was = "is" if enrolment.revoked_at is None else "was, until it was revoked,"
                raise bad_usage(
                    f"--key: this {was} the key of {one.vantage}: make a new one for each vantage; "
                    "nothing was changed"
                )


def _last_enrolment(known: dict[str, Known], vantage: str) -> Enrolment:
    """The vantage's last enrolment. Exits when there is none."""
    if vantage not in known or not known[vantage].keys:
        enrolled = {one.vantage: one.country for one in known.values() if one.keys}
        raise bad_usage(_unknown(vantage, enrolled))
    return known[vantage].keys[-1]


def _unknown(vantage: str, known: dict[str, str]) -> str:
    hint = did_you_mean(vantage, known) or "`shutwatch vantage list` shows all"
    return f"there is no vantage {vantage!r}: {hint}; nothing was changed"


def _collectors_keys(settings: Settings) -> tuple[str, str]:
    """The collectors' public keys that agents need, to check answers by and to seal to; made when
    there are none yet."""
    setting = settings.collector.orders_key
    path = key_path(setting, settings.source, settings.database, ORDERS_KEY_NAME)
    with exit_on(KeyFileError):
        key = load_or_make(path)
    return public_text(key), sealing_text(sealing_key(key))


def _print_instructions(enrolment: Enrolment, signing: str, sealing: str) -> None:
    """What the agent's host must compare, and put into agent.toml."""
    text = {
        name: msgspec.json.encode(getattr(enrolment, name)).decode()
        for name in ("vantage", "country", "network", "role", "profile")
    }
    typer.echo(
        f"{enrolment.vantage}: enrolled, with the key\n  {grouped(enrolment.fingerprint)}\n"
        "Its host compares this with `shutwatch agent key`, and adds to agent.toml:\n\n"
        f"[[vantage]]\nid = {text['vantage']}\ncountry = {text['country']}\nasn = {enrolment.asn}\n"
        f"network = {text['network']}\nrole = {text['role']}\nprofile = {text['profile']}\n\n"
        f'[agent]\ncollectors = ["https://…"]\ncollector_key = "{signing}"\n'
        f'sealing_key = "{sealing}"\n\n'
        "with the names of your collectors. Send the fingerprint of these two keys over another\n"
        "channel than these lines; `shutwatch agent key` shows it to the host:\n"
        f"  {grouped(keys_fingerprint(signing, sealing))}"
    )
