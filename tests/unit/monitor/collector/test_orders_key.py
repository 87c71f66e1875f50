"""Answers to agents and reports are signed by two keys."""

import shutil
from pathlib import Path

import msgspec
import pytest

from monitor.collector.run_collector import orders_key
from monitor.config.load import default_settings
from monitor.config.settings import Settings
from monitor.keys.keys import KeyFileError, load, public_text


def installation(folder: Path) -> Settings:
    """Its database is in that folder."""
    return msgspec.structs.replace(default_settings(), database=f"sqlite:///{folder}/shutwatch.db")


def test_attack_the_key_of_reports_orders_nothing(tmp_path: Path) -> None:
    """Reports and answers to agents had one key: whoever was given it to sign reports could order
    agents about. A collector makes two, and with one for both it does not start."""
    settings = installation(tmp_path)
    orders, reports = tmp_path / "shutwatch-orders.pem", tmp_path / "shutwatch-signing.pem"
    made = orders_key(settings)
    assert public_text(made) == public_text(load(orders)) != public_text(load(reports))
    assert public_text(orders_key(settings)) == public_text(made)
    shutil.copy(reports, orders)
    with pytest.raises(KeyFileError, match=r"collector\.orders_key"):
        orders_key(settings)


def test_agents_keep_trusting_the_key_they_know(tmp_path: Path) -> None:
    """The file of the old key is moved, as the changelog says; reports get a new one."""
    old = public_text(orders_key(installation(tmp_path)))
    (tmp_path / "shutwatch-signing.pem").unlink()
    assert public_text(orders_key(installation(tmp_path))) == old
