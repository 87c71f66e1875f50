"""The report about the demonstration's event, as a person would make it."""

import asyncio
import sys
from datetime import datetime
from pathlib import Path

from monitor.demo.plan import COUNTRY, VICTIM

REPORT = "report.zip"


async def report(config: Path, since: datetime) -> tuple[bool, str]:
    """Run `shutwatch report`; the file lies next to the configuration. `since` is in UTC.

    Returns whether it was made, and its headline, or the reason why it was not.
    """
    out = config.with_name(REPORT)
    # In its own process: drawing and typesetting would delay measurements by a second or two. It
    # runs no file of the current folder.
    made = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "monitor", "report", "--config", str(config)),
        *("--country", COUNTRY, "--platform", VICTIM, "--output", str(out)),
        *("--since", f"{since:%Y-%m-%dT%H:%M:%S}"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        _, output = await made.communicate()
    finally:
        if made.returncode is None:
            made.kill()
            await made.wait()
    lines = output.decode("utf-8", "replace").strip().splitlines() or ["no reason given"]
    return made.returncode == 0, lines[0] if made.returncode == 0 else lines[-1]
