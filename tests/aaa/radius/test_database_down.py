"""The database stops, hangs and comes back: log-ins wait, accounting is answered and kept."""

import atexit
import contextlib
import selectors
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from django.db import connections

from ispcore.embedded.freeradius import FreeRadius
from ispcore.embedded.postgres import Postgres
from tests import servers
from tests.aaa.radius.client import Answer, NasClient
from tests.aaa.radius.conftest import SECRET, MakeProvider, Provider
from tests.aaa.radius.server import Server, free_ports, radius_environment
from tests.workers import wait_until

SILENCE_SECONDS = 1.0
USER = {"User_Name": "jane", "Framed_IP_Address": "192.0.2.7"}
# Accepted again within this time of the database's return; stock FreeRADIUS needs 18 to 28 s.
BACK_SECONDS = 8
# sites/replay.conf looks again every four seconds.
REPLAYED_SECONDS = 20


@pytest.fixture
def postgres(django_db_setup: None) -> Iterator[Postgres]:
    """The server of all tests, to be stopped and started; it runs again afterwards, whatever happened."""
    home, keys = servers.servers.home, servers.servers.keys
    server = Postgres(home, keys["POSTGRES_PASSWORD"], durable=False)
    yield server
    connections.close_all()
    server.start(die_with_parent=True)
    # The plugin stops the database at the end; whoever started a process has to see it go.
    atexit.register(server.stop)


@pytest.fixture
def provider(make_provider: MakeProvider) -> Provider:
    return make_provider("north", max_sessions=0)


def _log_in(nas: NasClient) -> Answer | None:
    nas.seconds = SILENCE_SECONDS
    return nas.log_in("jane", "right")


def test_the_database_stops_and_comes_back(provider: Provider, postgres: Postgres) -> None:
    provider.account("jane")
    nas = provider.nas()
    assert _log_in(nas) is not None
    connections.close_all()
    postgres.stop()

    while_down = _log_in(nas)
    sent = time.time()
    spooled = [nas.account("Start", f"down{number}", **USER) for number in range(3)]
    # Long enough that what the server knew of the NAS is too old.
    time.sleep(3.5)
    later = nas.account("Stop", "down0", Acct_Session_Time=3, **USER)
    postgres.start(die_with_parent=True)
    back = time.monotonic()
    wait_until(lambda: _log_in(nas) is not None, BACK_SECONDS)

    assert while_down is None, "a log-in was answered while nobody could know"
    assert all(answer is not None for answer in [*spooled, later])
    assert time.monotonic() - back < BACK_SECONDS
    wait_until(lambda: provider.rows("SELECT count(*) FROM aaa_session") == [(3,)], REPLAYED_SECONDS)
    wait_until(lambda: provider.server.spooled() == [], REPLAYED_SECONDS)
    rows = provider.rows(
        "SELECT acct_session_id, abs(extract(epoch FROM started_at) - %s) < 3, stopped_at IS NOT NULL "
        "FROM aaa_session ORDER BY 1", sent,
    )  # fmt: skip
    assert rows == [("down0", True, True), ("down1", True, False), ("down2", True, False)]


def test_a_packet_the_database_refuses_does_not_hold_up_the_others(
    provider: Provider, postgres: Postgres
) -> None:
    provider.account("jane")
    nas = provider.nas()
    assert _log_in(nas) is not None
    nas.seconds = 5
    with _as_owner() as owner:
        owner.execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN IF NEW.acct_session_id = 'poison' THEN RAISE 'no'; END IF; RETURN NEW; END $$"
        )
        owner.execute(
            "CREATE TRIGGER refuse BEFORE INSERT ON aaa_session FOR EACH ROW EXECUTE FUNCTION refuse()"
        )
    try:
        poisoned = nas.account("Start", "poison", **USER)
        good = nas.account("Start", "good", **USER)
        wait_until(lambda: any(name.startswith("refused") for name in provider.server.spooled()), 60)
    finally:
        with _as_owner() as owner:
            owner.execute("DROP FUNCTION refuse() CASCADE")

    assert poisoned is not None
    assert good is not None
    assert provider.rows("SELECT acct_session_id FROM aaa_session") == [("good",)]
    spool = provider.server.process.directory / "spool"
    [refused] = [path for path in spool.iterdir() if path.name.startswith("refused")]
    assert 'Acct-Session-Id = "poison"' in refused.read_text()
    refused.unlink()


class _Wire:
    """A TCP relay to the database that can be made to hang, as a machine does that lost its disk."""

    def __init__(self, port: int) -> None:
        self.target = ("127.0.0.1", port)
        self.hangs = threading.Event()
        self._ends = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._relay)
        self._thread.start()

    def close(self) -> None:
        self._ends.set()
        self._thread.join()

    def _relay(self) -> None:
        with selectors.DefaultSelector() as selector, contextlib.ExitStack() as stack:
            stack.enter_context(self._listener)
            selector.register(self._listener, selectors.EVENT_READ)
            while not self._ends.is_set():
                if self.hangs.is_set():
                    time.sleep(0.02)
                    continue
                for key, _ in selector.select(0.05):
                    if key.fileobj is self._listener:
                        near = stack.enter_context(self._listener.accept()[0])
                        try:
                            far = stack.enter_context(socket.create_connection(self.target))
                        except OSError:
                            near.close()
                            continue
                        selector.register(near, selectors.EVENT_READ, far)
                        selector.register(far, selectors.EVENT_READ, near)
                    else:
                        self._forward(selector, key.fileobj, key.data)  # type: ignore[arg-type]

    @staticmethod
    def _forward(selector: selectors.BaseSelector, source: socket.socket, to: socket.socket) -> None:
        try:
            data = source.recv(65536)
            if data:
                to.sendall(data)
                return
        except OSError:
            pass
        for end in (source, to):
            with contextlib.suppress(
                KeyError, ValueError
            ):  # The other end of it may have been closed just before.
                selector.unregister(end)
            end.close()


def test_a_database_that_hangs_delays_and_loses_nothing(provider: Provider) -> None:
    provider.account("jane")
    known = provider.nas()
    parts = urlsplit(servers.servers.radius_url)
    wire = _Wire(int(parts.port or 0))
    url = urlunsplit(parts._replace(netloc=f"{parts.username}:{parts.password}@127.0.0.1:{wire.port}"))
    auth_port, acct_port = free_ports()
    home = servers.servers.home
    process = FreeRadius(
        home.root / "freeradius-2", home.logs / "freeradius-2.log", home.account,
        radius_environment(auth_port, acct_port, url),
    )  # fmt: skip
    process.start()
    server = Server(process, auth_port, acct_port)
    nas = NasClient(SECRET, auth_port, acct_port, known.address)
    try:
        assert _log_in(nas) is not None
        wire.hangs.set()
        assert _log_in(nas) is None
        nas.seconds = 15
        answer = nas.account("Start", "hung", **USER)
        wire.hangs.clear()
        nas.seconds = SILENCE_SECONDS  # What was asked just before is lost with the old connections.
        wait_until(lambda: _log_in(nas) is not None)
        assert answer is not None
        wait_until(
            lambda: provider.rows("SELECT acct_session_id FROM aaa_session") == [("hung",)], REPLAYED_SECONDS
        )
        wait_until(lambda: server.spooled() == [], REPLAYED_SECONDS)
    finally:
        process.stop()
        wire.close()


def test_the_server_starts_while_the_database_is_away(provider: Provider) -> None:
    provider.account("jane")
    known = provider.nas()
    parts = urlsplit(servers.servers.radius_url)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        dead_port = taken.getsockname()[1]
    url = urlunsplit(parts._replace(netloc=f"{parts.username}:{parts.password}@127.0.0.1:{dead_port}"))
    auth_port, acct_port = free_ports()
    home = servers.servers.home
    process = FreeRadius(
        home.root / "freeradius-2", home.logs / "freeradius-2.log", home.account,
        radius_environment(auth_port, acct_port, url),
    )  # fmt: skip

    process.start()

    try:
        assert _log_in(NasClient(SECRET, auth_port, acct_port, known.address)) is None
        assert process.process is not None
        assert process.process.poll() is None
    finally:
        process.stop()


@contextlib.contextmanager
def _as_owner() -> "Iterator[psycopg.Connection[Any]]":
    with psycopg.connect(servers.servers.owner_url, autocommit=True) as link:
        yield link
