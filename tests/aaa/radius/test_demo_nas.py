"""The demo's subscribers, dialling in at the real FreeRADIUS."""

import asyncio
import time
from collections.abc import Callable

from demo import dialler
from demo.nas import Nas
from tests.aaa.radius.client import NasClient, new_address
from tests.aaa.radius.conftest import Provider

LINES = 3
PATIENCE_SECONDS = 20


def _exchange(nas: NasClient) -> dialler.Exchange:
    server = dialler.Server("127.0.0.1", nas.auth_port, nas.acct_port, nas.secret.encode(), nas.address)
    return dialler.Exchange(Nas(nas.secret.encode(), nas.address), server, LINES)


async def _run_until(exchange: dialler.Exchange, done: Callable[[], bool]) -> None:
    task = asyncio.create_task(exchange.run())
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not await asyncio.to_thread(done) and time.monotonic() < deadline:
        await asyncio.sleep(0.1)
    task.cancel()
    await task


def _accounts(provider: Provider) -> None:
    for number in range(1, LINES + 1):
        provider.account(dialler.user_name(number), dialler.password(number))


def test_they_dial_in_and_the_nas_going_down_ends_their_sessions(provider: Provider) -> None:
    _accounts(provider)
    exchange = _exchange(provider.nas())

    def all_are_in() -> bool:
        if len(exchange.nas.sessions) < LINES:
            return False
        # Event-Timestamp has whole seconds: what ends in the second it began in has not begun before the end.
        time.sleep(1.1)
        return True

    asyncio.run(_run_until(exchange, all_are_in))

    assert [name for name, accepted, _ in sorted(provider.attempts()) if accepted] == [
        dialler.user_name(number) for number in range(1, LINES + 1)
    ]
    assert provider.rows("SELECT count(*), count(stopped_at), min(ended_by) FROM aaa_session") == [
        (LINES, LINES, "nas")
    ]


def test_a_session_that_was_disconnected_stops_and_says_so(provider: Provider) -> None:
    _accounts(provider)
    exchange = _exchange(provider.nas())
    ended: list[str] = []

    def end_the_first() -> bool:
        if not ended and len(exchange.nas.sessions) == LINES:
            # What Nas.answer does on a Disconnect-Request; the subscriber dials again only much later.
            ended.append(next(iter(exchange.nas.sessions)))
            del exchange.nas.sessions[ended[0]]
            time.sleep(dialler.GLANCE_SECONDS + 1)
        return bool(ended)

    asyncio.run(_run_until(exchange, end_the_first))

    assert provider.rows(
        "SELECT acct_session_id FROM aaa_session WHERE ended_by = 'stop' AND terminate_cause = 'Admin-Reset'"
    ) == [(ended[0],)]


def test_nobody_answers_and_little_is_sent(provider: Provider) -> None:
    exchange = _exchange(NasClient("x", provider.server.auth_port, provider.server.acct_port, new_address()))

    async def listen() -> None:
        task = asyncio.create_task(exchange.run())
        await asyncio.sleep(sum(dialler.PACE) * 1.1 + 1)
        task.cancel()
        await task

    asyncio.run(listen())

    assert exchange.server.silent_until > time.monotonic()
    assert exchange.nas.sessions == {}
