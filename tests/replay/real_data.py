"""Where OONI's real rows are, and the mark of tests that need them."""

import os
from pathlib import Path

import pytest

DATA = Path(os.environ.get("SHUTWATCH_OONI_DATA", ""))
KENYA = DATA / "ooni_ke_telegram_2023.csv"
DAILY = DATA / "ooni_imap_im_daily_2023_2024.csv"

needs_real_data = pytest.mark.skipif(
    not os.environ.get("SHUTWATCH_OONI_DATA") or not KENYA.is_file() or not DAILY.is_file(),
    reason="SHUTWATCH_OONI_DATA names no folder with ooni_ke_telegram_2023.csv",
)
