"""`[archive]` names one place, and a safe one."""

from pathlib import Path

import pytest

from monitor.config.load import load_config
from monitor.config.settings import Settings
from monitor.config.toml_problem import ConfigError
from storage.values.archive_place import NO_ARCHIVE, ArchivePlace

VANTAGE = '[[vantage]]\nid = "here"\ncountry = "PK"\n'
SERVICE = 'endpoint = "https://s3.example.org"\n'


def load(folder: Path, text: str) -> Settings:
    """The settings with this `[archive]`."""
    path = folder / "shutwatch.toml"
    path.write_text(f"{VANTAGE}[archive]\n{text}")
    return load_config(path, {})


def test_a_folder_is_relative_to_the_file(tmp_path: Path) -> None:
    """Whatever folder the program is started in; it need not be there."""
    assert load(tmp_path, 'folder = "old"\n').archive == ArchivePlace(folder=str(tmp_path / "old"))
    assert load(tmp_path, "").archive == NO_ARCHIVE


def test_a_bucket_has_a_service(tmp_path: Path) -> None:
    """With a prefix; http is for services on this machine."""
    found = load(tmp_path, f'bucket = "evidence/a"\n{SERVICE}region = "eu"\n').archive
    assert found == ArchivePlace(
        bucket="evidence/a", endpoint="https://s3.example.org", region="eu"
    )
    here = load(tmp_path, 'bucket = "evidence"\nendpoint = "http://127.0.0.1:9000"\n').archive
    assert here.endpoint == "http://127.0.0.1:9000"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('bucket = "evidence"\n', "both a bucket and its endpoint"),
        (SERVICE, "both a bucket and its endpoint"),
        (f'folder = "a"\nbucket = "evidence"\n{SERVICE}', "keep folder, or bucket and endpoint"),
        ('folder = "shutwatch.toml"\n', "is a file"),
        ('database_limit = "50GB"\n', "names no place"),
        (f'bucket = "../other"\n{SERVICE}', "the name of a bucket"),
        (f'bucket = "evidence/.."\n{SERVICE}', "the name of a bucket"),
        ('bucket = "evidence"\nendpoint = "http://s3.example.org"\n', "https:// and the host"),
        ('bucket = "evidence"\nendpoint = "https://key:secret@s3.example.org"\n', "without keys"),
        ('bucket = "evidence"\nendpoint = "https://s3.example.org/evidence"\n', "https:// and"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, problem: str) -> None:
    """Half a place, two places, a place that others could read on the way."""
    with pytest.raises(ConfigError) as raised:
        load(tmp_path, text)
    assert problem in "\n".join(map(str, raised.value.problems))
