"""One browser for all tests here."""

from collections.abc import Iterator

import pytest

from tests.browser.chromium import Chromium


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """A real Chromium before a seeded server."""
    made = Chromium(tmp_path_factory.mktemp("browser"))
    yield made
    made.close()
