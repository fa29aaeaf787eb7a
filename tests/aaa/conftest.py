"""What the tests of access share."""

from collections.abc import Iterator

import pytest

from tests.aaa import nas_peer
from tests.aaa.nas_peer import NasPeer
from tests.aaa.radius import server
from tests.aaa.radius.server import Server
from tests.needs import require


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NasPeer]:
    """A real FreeRADIUS that plays a NAS, one per file of tests."""
    require("freeradius")
    with nas_peer.running(tmp_path_factory.mktemp("nas")) as nas:
        yield nas


@pytest.fixture(scope="session")
def freeradius(django_db_setup: None) -> Iterator[Server]:
    """One server for the whole run; it never learns that the tables were emptied between two tests."""
    require("freeradius", "rlm_sql_postgresql")
    with server.running() as running:
        yield running
