"""One TOML file → frozen Settings. One reading finds every mistake, each with its line."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from monitor.analysis.events.settings import EventSettings
from monitor.analysis.judge.fingerprint import Fingerprint
from monitor.config.agent import check_agent_file, read_agent
from monitor.config.catalog import (
    load_catalog,
    read_references,
    select_platforms,
    shipped_catalog,
    watched_by_default,
)
from monitor.config.collector import read_collector
from monitor.config.environ import expander
from monitor.config.fingerprints import merged, shipped_fingerprints
from monitor.config.keys_by_table import (
    ARCHIVE,
    EVENTS,
    FINGERPRINTS,
    LOG,
    PROBE,
    RETENTION,
    SERVER,
    THROTTLING,
    TIMESTAMPS,
    TOP,
    VANTAGE_CHECK,
    WITHHELD,
    elsewhere,
)
from monitor.config.loopback import is_loopback
from monitor.config.named_files import existing_file
from monitor.config.notify import read_notify
from monitor.config.proof_file import catalog_text, read_proof
from monitor.config.settings import (
    COLLECTED_AGREEMENT,
    LISTEN,
    CollectorSettings,
    RetentionSettings,
    ServerSettings,
    Settings,
    SourceSettings,
    ThrottlingSettings,
    TimestampSettings,
    VantageCheckSettings,
    WithheldSettings,
)
from monitor.config.sources import read_sources
from monitor.config.toml_node import (
    Document,
    Invalid,
    Node,
    Shape,
    Shapes,
    did_you_mean,
    listed,
    read_table,
    suggestion,
    text,
)
from monitor.config.toml_problem import ConfigError, Problem
from monitor.config.toml_source import read_source
from monitor.config.vantages import read_vantages
from monitor.logs import LogSettings
from monitor.notify.settings import NotifySettings
from monitor.wire.catalog_proof import CatalogProof
from probes.catalog.catalog import Catalog, ReferenceScope
from probes.settings import ProbeSettings
from probes.vantage import VantagePoint
from storage.values.archive_place import ArchivePlace

CONFIG_VARIABLE = "SHUTWATCH_CONFIG"
"""Names the file when `--config` is absent."""

UNKNOWN_COUNTRY = "ZZ"
"""Country of the only vantage there is without a file."""

LARGEST_CATALOG = 256 * 1024
"""Characters of a catalogue file that agents read: they have little memory."""

_AGENTS_PORTS = (8443, 8444)
"""Advised for agents: the first where the page is not."""

T = TypeVar("T", bound=msgspec.Struct)

_NO_VANTAGE = 'add a vantage: [[vantage]] and under it id = "here" and country = "PK"'


def find_config(option: Path | None, environ: Mapping[str, str]) -> Path | None:
    """The file that `--config` names, else the one in `SHUTWATCH_CONFIG`, else None."""
    if option is not None:
        return option
    named = environ.get(CONFIG_VARIABLE, "")
    return Path(named) if named else None


def default_settings() -> Settings:
    """The settings without a file: the shipped catalogue, measured from this machine."""
    vantages = (VantagePoint(id="local", country=UNKNOWN_COUNTRY),)
    catalog = watched_by_default(shipped_catalog())
    return Settings(vantages=vantages, catalog=measured_from(vantages, catalog))


def load_config(path: Path, environ: Mapping[str, str], *, asks_apprise: bool = True) -> Settings:
    """The settings in the file at `path`, with `${NAME}` taken from `environ`.

    `asks_apprise`: whether it can send to each address of notifications, for what sends or checks;
    to load it takes longer than all else.
    Raises ConfigError, with every problem of this file and of the catalogue file it names.
    """
    document = Document(read_source(path), expander(environ), elsewhere, asks_apprise=asks_apprise)
    root = document.root
    in_catalog_file: list[Problem] = []
    catalog = _catalog(root, in_catalog_file)
    values = _values(root, catalog)
    problems = [*sorted(document.problems, key=lambda one: one.line), *in_catalog_file]
    if problems:
        raise ConfigError(problems)
    vantages = values.pop("vantage", ())
    sources = values.pop("source", ())
    return Settings(
        **_with_interval(_with_listener(values)),
        vantages=vantages,
        sources=sources,
        catalog=measured_from(vantages, catalog),
        catalog_text=_catalog_text(root),
        catalog_proof=_catalog_proof(root),
        chosen="platforms" in root.raw.get("catalog", {}),
        source=str(path),
    )


def _values(root: Node, catalog: Catalog) -> dict[str, Any]:
    """Everything but the catalogue; empty when anything is wrong."""
    values: dict[str, Any] = {}
    with suppress(Invalid):
        values = read_table(
            root,
            {
                **TOP,
                "probe": _section(ProbeSettings, PROBE, "body_limit", "suspicious_body_limit"),
                "throttling": _section(ThrottlingSettings, THROTTLING),
                "events": _events,
                "fingerprints": _fingerprints,
                "vantage_check": _vantage_check,
                "retention": _section(RetentionSettings, RETENTION, "raw", "hourly"),
                "archive": _archive,
                "timestamps": _section(TimestampSettings, TIMESTAMPS),
                "withheld": _section(WithheldSettings, WITHHELD),
                "log": _section(LogSettings, LOG),
                "server": _server,
                "collector": read_collector,
                "notify": partial(_notify, catalog),
                "agent": read_agent,
                "vantage": read_vantages,
                "source": partial(_sources, catalog),
                "references": _read_apart,
                "catalog": _read_apart,
            },
            # A collector's agents may do all the measuring, and so may those who are followed.
            required={} if {"collector", "source"} & set(root.raw) else {"vantage": _NO_VANTAGE},
        )
    _in_order(root, TOP, Settings, "jitter", "interval")
    _private(root, values)
    _apart(root, values)
    if "agent" in root.raw:
        with suppress(Invalid):
            check_agent_file(root)
    return {name: value for name, value in values.items() if value is not None}


def _with_listener(values: dict[str, Any]) -> dict[str, Any]:
    """`listen` as the two fields that Settings has."""
    host_and_port = values.pop("listen", None)
    if host_and_port is None:
        return values
    return {**values, "listen_host": host_and_port[0], "listen_port": host_and_port[1]}


def _with_interval(values: dict[str, Any]) -> dict[str, Any]:
    """`[events]` has the interval of the file, and another agreement for a collector."""
    agreement = COLLECTED_AGREEMENT if "collector" in values else EventSettings().agreement
    events = values.get("events", EventSettings(agreement=agreement))
    interval = values.get("interval", events.interval)
    return {**values, "events": msgspec.structs.replace(events, interval=interval)}


def _read_apart(_: Node) -> None:
    """The shape of tables that `_catalog` reads in its own step."""


def _section(settings: type[T], shapes: Shapes, smaller: str = "", larger: str = "") -> Shape[T]:
    """The shape of a table, whose value `smaller` may be at most `larger`."""

    def read(node: Node) -> T:
        if smaller:
            _in_order(node, shapes, settings, smaller, larger)
        return settings(**read_table(node, shapes))

    return read


def _server(node: Node) -> ServerSettings:
    """`[server]`; each editor is one of the users."""
    settings = ServerSettings(**read_table(node, SERVER))
    names = [user.name for user in settings.users]
    for name in settings.editors:
        if name not in names:
            hint = did_you_mean(name, names) or "add a line for this name to the file of users"
            raise node.table()["editors"].fail(hint, wrong=f"names {name!r}, who is no user")
    return settings


def _events(node: Node) -> EventSettings:
    """`[events]`."""
    _in_order(node, EVENTS, EventSettings, "false_confirmed", "false_suspected")
    values = read_table(node, EVENTS)
    if "collector" in node.document.root.raw:
        values.setdefault("agreement", COLLECTED_AGREEMENT)
    return EventSettings(**values)


def _archive(node: Node) -> ArchivePlace:
    """`[archive]`: a folder, or a bucket of a service."""
    place = ArchivePlace(**read_table(node, ARCHIVE))
    if place.folder and (place.bucket or place.endpoint or place.region):
        raise node.fail("keep folder, or bucket and endpoint", wrong="names two places")
    if bool(place.bucket) != bool(place.endpoint) or (place.region and not place.bucket):
        raise node.fail("name both a bucket and its endpoint", wrong="names half a place")
    if place.database_limit and not (place.folder or place.bucket):
        # Days that move nowhere would be lost.
        raise node.fail("name a folder, or a bucket and its endpoint", wrong="names no place")
    return place


def _fingerprints(node: Node) -> tuple[Fingerprint, ...]:
    """`[fingerprints]`: the shipped ones and those of every file; later ones replace earlier."""
    lists = read_table(node, FINGERPRINTS).get("files", ())
    more = [one for each in lists for one in each]
    return merged(shipped_fingerprints(), more)


def _vantage_check(node: Node) -> VantageCheckSettings:
    """`[vantage_check]`; without files that locate an exit address the scrubber alone uses it."""
    return VantageCheckSettings(**read_table(node, VANTAGE_CHECK))


def _private(root: Node, values: Mapping[str, Any]) -> None:
    """Note an address that other machines reach, without users, tokens or public = true."""
    if "listen" not in values or values.get("server", ServerSettings()).guarded:
        return
    if not is_loopback(values["listen"][0]):
        root.table()["listen"].fail(
            "say under [server] who may sign in, with users or tokens, or public = true for "
            "everybody; or listen on 127.0.0.1 only",
            wrong="can be reached from other machines",
        )


def _apart(root: Node, values: Mapping[str, Any]) -> None:
    """Note a collector's address at which the page listens, too: only one of them can."""
    page = values.get("listen", LISTEN)
    agents = values.get("collector", CollectorSettings()).listen
    hosts = {page[0], agents[0]}
    if agents[0] and page[1] == agents[1] != 0 and (len(hosts) == 1 or hosts & {"0.0.0.0", "::"}):  # noqa: S104
        free = next(port for port in _AGENTS_PORTS if port != page[1])
        root.table()["collector"].table()["listen"].fail(
            f"another port, as in {free}", wrong="is where the page listens already"
        )


def _notify(catalog: Catalog, node: Node) -> NotifySettings:
    """`[notify]`."""
    # With mistakes in it a catalogue is not complete, so nothing is checked against it.
    platforms = () if node.document.problems else [one.name for one in catalog.platforms]
    return read_notify(node, platforms)


def _sources(catalog: Catalog, node: Node) -> tuple[SourceSettings, ...]:
    """Every `[[source]]`."""
    if "agent" in node.document.root.raw:
        raise node.fail("leave it to the collector", wrong="is no part of an agent's file")
    # With mistakes in it a catalogue is not complete, so nothing is checked against it.
    return read_sources(None if node.document.problems else catalog, node)


def _catalog(root: Node, in_file: list[Problem]) -> Catalog:
    """The shipped catalogue with `[catalog]` and `[references]` applied.

    Problems of a catalogue file are added to `in_file`, all others to the document.
    """
    catalog = shipped_catalog()
    tables = root.raw
    names: Sequence[str] | None = None
    if "catalog" in tables:
        with suppress(Invalid):
            node = root.table()["catalog"]
            catalog, known = _with_file(node, catalog, in_file)
            names = _platform_names(node, catalog if known else None)
    if "references" in tables:
        with suppress(Invalid):
            references = read_references(root.table()["references"], catalog.references)
            catalog = msgspec.structs.replace(catalog, references=references)
    return watched_by_default(catalog) if names is None else select_platforms(catalog, names)


def _with_file(node: Node, catalog: Catalog, in_file: list[Problem]) -> tuple[Catalog, bool]:
    """The catalogue with `catalog.file` merged in, and whether all of it is known."""
    table = node.table()
    if "file" not in table:
        return catalog, True
    try:
        path = existing_file(table["file"])
        merged = load_catalog(path, catalog)
        if "collector" in node.document.root.raw and len(catalog_text(path)) > LARGEST_CATALOG:
            remedy = f"shorten it to at most {LARGEST_CATALOG:,} characters"
            raise table["file"].fail(remedy, wrong="is longer than agents read")
        try:
            read_proof(path)
        except ValueError as error:
            raise table["file"].fail(
                "sign it with `shutwatch sign catalog`", wrong=str(error)
            ) from error
        return merged, True
    except Invalid:
        return catalog, False
    except ConfigError as error:
        in_file.extend(error.problems)
        return catalog, False


def _catalog_text(root: Node) -> str:
    """The text of the catalogue file that a configuration without mistakes names."""
    table = root.raw.get("catalog", {})
    if "file" not in table:
        return ""
    return catalog_text(existing_file(root.table()["catalog"].table()["file"]))


def _catalog_proof(root: Node) -> CatalogProof | None:
    """The signatures of that file; None where there are none."""
    table = root.raw.get("catalog", {})
    if "file" not in table:
        return None
    return read_proof(existing_file(root.table()["catalog"].table()["file"]))


def _platform_names(node: Node, catalog: Catalog | None) -> Sequence[str] | None:
    """`catalog.platforms`, each checked against `catalog` unless that is None."""
    known = {platform.name for platform in catalog.platforms} if catalog else None

    def name(entry: Node) -> str:
        value = text(entry)
        if known is not None and value not in known:
            wrong = "is not a platform of the catalogue"
            raise entry.fail(suggestion(value, known), wrong=wrong)
        return value

    values = read_table(node, {"platforms": listed(name), "file": _read_apart})
    names: Sequence[str] | None = values.get("platforms")
    if names is not None and not names:
        raise node.table()["platforms"].fail("at least one platform, or leave this key out")
    return names


def measured_from(vantages: Sequence[VantagePoint], catalog: Catalog) -> Catalog:
    """The catalogue without domestic references of countries that have no vantage."""
    countries = {vantage.country for vantage in vantages}
    references = tuple(
        reference
        for reference in catalog.references
        if reference.scope is not ReferenceScope.DOMESTIC or reference.country in countries
    )
    return msgspec.structs.replace(catalog, references=references)


def _in_order(
    node: Node, shapes: Shapes, defaults: type[msgspec.Struct], smaller: str, larger: str
) -> None:
    """Note when `smaller` is above `larger`, defaults included."""
    values = {field.name: field.default for field in msgspec.structs.fields(defaults)}
    with suppress(Invalid):
        table = node.table()
        for name in {smaller, larger} & table.keys():
            values[name] = shapes[name](table[name])
        if values[smaller] > values[larger]:
            given = table[smaller if smaller in table else larger]
            raise given.fail(f"{smaller} may be at most {larger}")
