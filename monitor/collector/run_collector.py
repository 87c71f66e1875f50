"""`shutwatch collector`: receives from agents, judges, records and shows.

agents ─ HTTPS → agents_api ─┐
own vantages → local_cycles ─┴→ store → judging_queue → judge → recorder → events, messages
                                          └── at the one collector that leads ──┘
"""

from contextlib import AsyncExitStack
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from monitor.app.measuring_setup import measuring
from monitor.app.notify_setup import Notifications
from monitor.app.run_until_stopped import run_until_stopped
from monitor.app.service_setup import Service, opened_store, publisher_of
from monitor.collector.agents_api import AgentApi
from monitor.collector.certificate import certificate_of
from monitor.collector.leader import Leader
from monitor.collector.local_cycles import LocalCycles
from monitor.collector.serve_agents import serve_agents
from monitor.config.settings import Settings
from monitor.keys.keys import (
    KEY_NAME,
    ORDERS_KEY_NAME,
    KeyFileError,
    key_path,
    load_or_make,
    public_text,
)
from monitor.logs import logger
from monitor.metrics.ingest_counts import IngestCounts
from storage.store import Recording
from storage.values.steady_clock import utc_now

log = logger(__name__)


async def run(settings: Settings) -> None:
    """Until SIGTERM or SIGINT. Raises StorageError, ListenError or KeyFileError when it cannot
    start."""
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(opened_store(settings, Recording.COLLECTOR))
        publisher = publisher_of(settings, leading=False)
        notifications = Notifications(settings, store, publisher)
        recorder = LocalCycles(settings, store, publisher.storage_error, now=utc_now)
        own = await stack.enter_async_context(
            measuring(settings, store, recorder, publisher, scheduled_controls=True)
        )

        async def use(new: Settings) -> None:
            recorder.use(new)
            await leader.use(new)

        service = Service(settings, store, publisher, notifications, own, use)
        leader = Leader(
            settings,
            store,
            publisher,
            now=utc_now,
            notifier=notifications.delivery,
            duties=(
                notifications.run,
                service.retention.run,
                service.stamping.run,
                service.sources.run,
            ),
        )
        certificate = certificate_of(settings.collector)
        counts = IngestCounts()
        if certificate is not None:
            counts.certificate_expires_at = lambda: certificate.expires_at
        key = orders_key(settings)
        tasks = [*service.tasks(leader.ready, counts), leader.run()]
        if settings.collector.listen[0]:
            in_use, controls = lambda: service.reloader.settings, lambda: own.controls
            counts.catalog_ends_at = lambda: catalog_ends_at(service.reloader.settings)
            api = AgentApi(store, key, in_use, counts, controls=controls).app()
            tls = None if certificate is None else certificate.context
            tasks.append(serve_agents(api, settings.collector, listening=_listening, tls=tls))
            if certificate is not None:
                tasks.append(certificate.watch())
        await run_until_stopped(service.reloader.ask, *tasks)


def catalog_ends_at(settings: Settings) -> datetime | None:
    """When the signing key of the catalogue for agents ends, UTC; None where it is not signed."""
    return None if settings.catalog_proof is None else settings.catalog_proof.signer.ends


def orders_key(settings: Settings) -> Ed25519PrivateKey:
    """The key that signs answers to agents, made when there is none yet. Raises KeyFileError, too
    when it is the key of reports: whoever is shown a report's key must not order anything."""
    made = [
        load_or_make(key_path(setting, settings.source, settings.database, name))
        for setting, name in (
            (settings.collector.orders_key, ORDERS_KEY_NAME),
            (settings.signing_key, KEY_NAME),
        )
    ]
    orders, reports = made
    if public_text(orders) == public_text(reports):
        raise KeyFileError(
            "signing_key and collector.orders_key are the same key: move one of the files away, "
            "and a new key is made"
        )
    return orders


def _listening(host: str, port: int) -> None:
    log.info("listening for agents", address=f"{f'[{host}]' if ':' in host else host}:{port}")
