"""Print what changed in a version: the section of the changelog that has its name.

The heading is `## VERSION` or `## VERSION – DATE`.

Usage: release_notes.py CHANGELOG VERSION. Exit 1 where there is none, or an empty one.
"""

import re
import sys
from pathlib import Path


def notes(changelog: str, version: str) -> str:
    """The text of that section without its heading; empty where there is none."""
    heading = rf"^## {re.escape(version)}(?: [^\n]*)?$"
    found = re.search(rf"{heading}\n(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL)
    return found[1].strip() + "\n" if found and found[1].strip() else ""


if __name__ == "__main__":
    text = notes(Path(sys.argv[1]).read_text("utf-8"), sys.argv[2])
    if not text:
        sys.exit(f'{sys.argv[1]} has no section "## {sys.argv[2]}": give "Unreleased" its name')
    sys.stdout.write(f"# shutwatch {sys.argv[2]}\n\n{text}")
