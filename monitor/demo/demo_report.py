"""The report that a person would hand on, made of what the demonstration found."""

import asyncio
import sys
from datetime import datetime
from pathlib import Path

from monitor.demo.plan import COUNTRY, VICTIM

REPORT = "report.zip"


async def report(config: Path, since: datetime) -> tuple[bool, str]:
    """Make it as anybody does, with `shutwatch report`, beside the configuration.

    Whether there is one, and its headline, or else why there is none. `since` is in UTC.
    """
    out = config.with_name(REPORT)
    # In a process of its own: drawing and typesetting take a second or two of the looks' time.
    made = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "monitor", "report", "--config", str(config)),
        *("--country", COUNTRY, "--platform", VICTIM, "--output", str(out)),
        *("--since", f"{since:%Y-%m-%dT%H:%M:%S}"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        _, said = await made.communicate()
    finally:
        if made.returncode is None:
            made.kill()
            await made.wait()
    lines = said.decode("utf-8", "replace").strip().splitlines() or ["no reason given"]
    return made.returncode == 0, lines[0] if made.returncode == 0 else lines[-1]
