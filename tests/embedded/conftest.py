from collections.abc import Iterator
from pathlib import Path

import pytest

from ispcore.embedded import Servers, start_servers
from tests.embedded.scratch import scratch_directory


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """Servers that the tests only look at."""
    with scratch_directory() as path, start_servers(path / "data", durable=False) as running:
        yield running


@pytest.fixture
def scratch() -> Iterator[Path]:
    with scratch_directory() as path:
        yield path
