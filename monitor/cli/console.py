"""The console that commands print tables on."""

import io
import sys

from rich.console import Console


def plain_console() -> Console:
    """Standard output; what its encoding cannot show is replaced instead of ending the command."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    return Console(highlight=False)
