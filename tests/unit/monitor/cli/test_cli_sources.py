"""A first run without any line in the country: `init --country`, then `check`."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from monitor.cli.main import app
from monitor.config.load import load_config
from monitor.sources.terms import SourceKind


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that commands are typed in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SHUTWATCH_CONFIG", raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


def typed(*words: str) -> Result:
    """What a command prints and exits with."""
    return CliRunner().invoke(app, list(words))


def test_countries_alone_make_a_configuration(folder: Path) -> None:
    """It is valid, follows every source about them, and says whose data it will show."""
    assert typed("init", "--country", "PK", "--country", "BR").exit_code == 0
    settings = load_config(folder / "shutwatch.toml", {})
    assert settings.vantages == ()
    assert {one.kind: one.countries for one in settings.sources} == {
        SourceKind.OONI: ("PK", "BR"),
        SourceKind.IODA: ("PK", "BR"),
    }
    checked = typed("check", "shutwatch.toml")
    assert checked.exit_code == 0, checked.output
    assert "OONI about PK, BR" in checked.stdout
    assert "CC BY-NC-SA 4.0" in checked.stdout
    assert "No control vantage" not in checked.stdout


def test_whoever_has_strangers_test_is_told(folder: Path) -> None:
    """Before it begins: what it does to whom, and where to read on. Other sources need no such
    words."""
    assert typed("init", "--country", "PK").exit_code == 0
    caution = "has lines of strangers in these countries test the names"
    assert caution not in typed("check", "shutwatch.toml").stdout
    path = folder / "shutwatch.toml"
    text = path.read_text()
    path.write_text(f'{text}\n[[source]]\nkind = "globalping"\ncountries = ["PK"]\n')
    checked = typed("check", "shutwatch.toml")
    assert checked.exit_code == 0, checked.output
    assert caution in checked.stdout
    assert "docs/risk.md" in checked.stdout


def test_a_name_that_is_no_code_is_corrected() -> None:
    """Before a file is written."""
    refused = typed("init", "--country", "Pakistan")
    assert refused.exit_code == 2
    assert 'write "PK"' in refused.output
    assert not Path("shutwatch.toml").exists()
