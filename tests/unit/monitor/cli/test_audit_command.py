"""`shutwatch audit`: what people did, whoever looks for it later."""

from pathlib import Path

import pytest

from tests.worlds.review_world import PK_EVENT, Installation


def test_what_commands_do_is_in_the_audit_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reviews, annotations and quarantines each leave a line, oldest first; what is refused leaves
    none, and nobody is named who did not sign in. What reads them from a pipe gets ids whole."""
    monkeypatch.setenv("COLUMNS", "40")
    here = Installation(tmp_path)
    here.fill()
    assert "Nobody did anything" in here.run("audit").stderr
    notes = tmp_path / "notes.csv"
    notes.write_text(
        "since,country,kind,text,source\n2024-02-08,PK,election,Vote,https://news.example/vote\n"
    )
    here.run("event", "review", PK_EVENT, "--reject", "--note", "a cut cable", "--by", "Asma")
    here.run("event", "review", PK_EVENT, "--confirm", "--note", "x" * 4001)
    here.run("annotate", "import", str(notes))
    here.run("annotate", "import", str(notes))
    (known,) = here.lines("annotate", "list")
    here.run("annotate", "remove", known["id"])
    here.run("vantage", "quarantine", "khi-ptcl", "--reason", "a VPN")
    here.run("vantage", "quarantine", "khi-ptlc", "--reason", "a VPN")
    here.run("vantage", "release", "khi-ptcl")
    here.run("vantage", "release", "khi-ptcl")
    assert [(one["who"], one["what"], one["target"]) for one in here.lines("audit")] == [
        ("", "reject", f"event {PK_EVENT}"),
        ("", "annotate", "annotations"),
        ("", "remove_annotation", known["id"]),
        ("", "quarantine", "vantage khi-ptcl"),
        ("", "release", "vantage khi-ptcl"),
    ]
    shown = here.run("audit").stdout
    assert "command line" in shown
    assert "a VPN" in shown
    assert f"event {PK_EVENT}" in shown
    assert here.lines("audit", "--until", "2024-01-01") == []
