"""What the tests of access share."""

from collections.abc import Iterator

import pytest

from tests.aaa.nas_peer import NasPeer, running
from tests.needs import require


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NasPeer]:
    """A real FreeRADIUS that plays a NAS, one per file of tests."""
    require("freeradius")
    with running(tmp_path_factory.mktemp("nas")) as nas:
        yield nas
