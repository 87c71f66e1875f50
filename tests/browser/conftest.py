"""One browser for all tests here."""

from collections.abc import Iterator
from importlib.util import find_spec

import pytest

from tests.browser.chromium import Chromium
from tests.worlds.documents import build_documents


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """A real Chromium before a seeded server, with the documents where their tool is there."""
    documents = tmp_path_factory.mktemp("documents")
    if find_spec("zensical"):
        documents = build_documents(documents)
    made = Chromium(tmp_path_factory.mktemp("browser"), documents)
    yield made
    made.close()
