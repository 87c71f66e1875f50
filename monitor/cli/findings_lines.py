"""Findings as lines of `--json`."""

from typing import Any

from monitor.wording.findings import Finding, finding_sentences
from monitor.wording.words import words_in


def json_line(check: str, finding: Finding | None, about: str = "") -> dict[str, Any]:
    """One line: what was checked, `ok` or how much it matters, and in words what to do."""
    problem, remedy = finding_sentences(words_in(), finding) if finding else ("", "")
    return {
        "check": check,
        "about": about,
        "level": finding.level if finding else "ok",
        "finding": finding.what if finding else "",
        "problem": problem,
        "remedy": remedy,
    }
