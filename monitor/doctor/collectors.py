"""Whether an agent's key can be used, and whether each collector answers to it.

Each is asked for its time and for this agent's settings, as the agent itself asks: over the same
proxy, trusting the same certificates and keys. Nothing is delivered or followed, so what an agent
that runs knows stays as it is.
"""

import asyncio
import random
from collections.abc import Mapping
from typing import TYPE_CHECKING

from monitor.agent.collector_client import CollectorClient, RefusedError, RevokedError
from monitor.agent.collector_clock import AgentClock
from monitor.agent.paths import files_of
from monitor.agent.revocation import is_revoked
from monitor.agent.signed_answer import UnreachableError
from monitor.config.settings import AgentSetup
from monitor.doctor.trial import Checked, Trial, found
from monitor.keys.keys import KeyFileError, fingerprint, load, public_text
from monitor.wire.answers import SETTINGS, Reason
from monitor.wording.findings import What
from storage.values.steady_clock import RIGHT

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_BY_WORDS: Mapping[str, What] = {
    "certificate": What.COLLECTOR_CERTIFICATE,
    "without the collectors' signature": What.COLLECTOR_KEY,
}
"""What it means where the reason for no valid answer has these words."""


async def try_collectors(trial: Trial) -> list[Checked]:
    """One for the agent's key, and where that can be used one for each collector; none where there
    is no agent."""
    setup = trial.settings.agent
    if setup is None:
        return []
    files = files_of(trial.settings)
    try:
        key = load(files.key)
        revoked = is_revoked(files, fingerprint(public_text(key)))
    except KeyFileError as error:
        return [found("key", str(files.key), What.AGENT_KEY, why=str(error))]
    if revoked:
        return [found("key", str(files.key), What.AGENT_REVOKED)]
    tried = [_try(trial, setup, key, collector) for collector in setup.collectors]
    return [Checked(check="key", about=str(files.key)), *await asyncio.gather(*tried)]


async def _try(
    trial: Trial, setup: AgentSetup, key: "Ed25519PrivateKey", collector: str
) -> Checked:
    # Each has a clock of its own: what one says must not decide what is found of another.
    clock = AgentClock(trial.machine())
    rng = random.Random()  # noqa: S311 # picks nothing here
    (vantage,) = trial.settings.vantages
    async with CollectorClient(setup, vantage.id, key, clock, rng) as client:
        try:
            await client.learn_time(collector)
            # Until the time is known no date of a certificate counts.
            await client.learn_time(collector)
        except RevokedError:
            return _found(collector, What.AGENT_REVOKED)
        except RefusedError as error:
            other_key = error.reason is Reason.UNKNOWN_KEY
            what = What.COLLECTOR_KEY if other_key else What.COLLECTOR_REFUSES
            return _found(collector, what, why=error.detail)
        except UnreachableError as error:
            return _found(collector, _what_of(str(error), setup), why=str(error))
        try:
            await client.ask(collector, "GET", SETTINGS)
        except RefusedError as error:
            if error.reason is Reason.UNKNOWN_KEY:
                return _found(collector, What.AGENT_UNKNOWN, vantage=vantage.id)
            return _found(collector, What.COLLECTOR_REFUSES, why=error.detail)
        except UnreachableError as error:
            return _found(collector, _what_of(str(error), setup), why=str(error))
    return _clock(collector, clock.offset() or 0.0)


def _what_of(why: str, setup: AgentSetup) -> What:
    silent = What.COLLECTOR_BEHIND_PROXY if setup.proxy else What.COLLECTOR_SILENT
    return next((what for words, what in _BY_WORDS.items() if words in why), silent)


def _clock(collector: str, behind: float) -> Checked:
    """It answered; `behind` is how many seconds the clock of this machine is."""
    seconds = abs(behind)
    if seconds <= RIGHT:
        about = f"{collector}, clock right to {seconds:.1f} s"
        return Checked(check="collector", about=about)
    way = "behind" if behind > 0 else "ahead of"
    return _found(collector, What.COLLECTOR_CLOCK, seconds=f"{seconds:,.0f}", way=way)


def _found(collector: str, what: What, **values: str) -> Checked:
    return found("collector", collector, what, collector=collector, **values)
