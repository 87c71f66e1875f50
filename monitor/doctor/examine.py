"""All checks at once, each within its time."""

import asyncio
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from monitor.doctor.certificate import try_certificate
from monitor.doctor.collectors import try_collectors
from monitor.doctor.folders import try_folders
from monitor.doctor.listeners import try_listeners
from monitor.doctor.messages import try_messages
from monitor.doctor.pauses import try_pauses
from monitor.doctor.prometheus import try_prometheus
from monitor.doctor.resolvers import try_resolvers
from monitor.doctor.secrets import try_secrets
from monitor.doctor.tables import try_database
from monitor.doctor.trial import Check, Checked, Trial, found
from monitor.doctor.vantages import try_vantages
from monitor.measuring.weaknesses import weaknesses
from monitor.wording.findings import What

WITHIN = 60.0
"""Seconds that a check may take: a vantage where everything is silent takes most of them."""


async def try_settings(trial: Trial) -> list[Checked]:
    """What the settings leave open, as `check` says it."""
    weak = weaknesses(trial.settings, trial.system)
    return [Checked(check="settings", finding=one) for one in weak] or [Checked(check="settings")]


CHECKS: tuple[tuple[str, Check], ...] = (
    ("settings", try_settings),
    ("secrets", try_secrets),
    ("folder", try_folders),
    ("database", try_database),
    ("port", try_listeners),
    ("certificate", try_certificate),
    ("pause", try_pauses),
    ("resolver", try_resolvers),
    ("vantage", try_vantages),
    ("collector", try_collectors),
    ("notification", try_messages),
    ("prometheus", try_prometheus),
)
"""In the order in which they are shown."""


async def examine(
    trial: Trial, done: Callable[[], object] = lambda: None, *, within: float = WITHIN
) -> list[Checked]:
    """What every check says, in the order of `CHECKS`; calls `done` after each."""

    async def one(name: str, check: Check) -> Sequence[Checked]:
        try:
            async with asyncio.timeout(within):
                return await check(trial)
        except TimeoutError:
            return [found(name, "", What.TOO_SLOW, seconds=f"{within:g}")]
        except Exception as error:  # noqa: BLE001 # one check's own fault hides no other's finding
            return [found(name, "", What.OUR_FAULT, why=_where(error))]
        finally:
            done()

    made = await asyncio.gather(*(one(name, check) for name, check in CHECKS))
    return [checked for several in made for checked in several]


def _where(error: Exception) -> str:
    """The error, and the line that raised it."""
    raised = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({Path(raised.filename).name}:{raised.lineno})"
