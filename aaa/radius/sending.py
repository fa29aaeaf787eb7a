"""Send many CoA- and Disconnect-Requests at once and tell how each ended; nothing here knows the database."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from pyrad.packet import Packet

from aaa.radius.channel import PACE, Channel, NoAnswerError, first
from aaa.radius.requests import Kind, Nas, Request, UnsendableError, build
from aaa.radius.verdicts import Outcome, Result, Verdict, judge

# Answers that come within this time of the first are told together, because storing them one by one costs more than
# sending. Where nothing is left to wait for, nobody waits.
GATHER_SECONDS = 0.25
LOOK_AGAIN_SECONDS = 0.02
# A worker has some hundred file descriptors to spare; the NASes beyond take their turn.
MOST_CHANNELS = 64

Answer = tuple[Request, Verdict]


def send(
    requests: Iterable[Request], *, pace: Sequence[float] = PACE, clock: Callable[[], float] = time.time
) -> Iterator[list[Answer]]:
    """Send requests and yield their verdicts as they come, each exactly once.

    One socket per NAS, so that a silent one keeps no other waiting. Blocks for at most the sum of `pace` per wave of
    100 requests to the same NAS, and for one wave only where a NAS answers nothing. Between two yields the caller may
    take its time: late answers wait in the socket. Raises nothing about a request; its verdict says it.
    """
    by_nas: dict[Nas, list[Request]] = defaultdict(list)
    for request in requests:
        by_nas[request.nas].append(request)
    loop = asyncio.new_event_loop()
    try:
        gate = asyncio.Semaphore(MOST_CHANNELS)
        answers: list[Answer] = []
        pending = {
            loop.create_task(_talk(nas, group, gate, _Told(answers), pace, clock))
            for nas, group in by_nas.items()
        }
        while pending:
            pending = loop.run_until_complete(_next(pending, answers))
            if answers:
                told, answers[:] = list(answers), []
                yield told
    finally:
        _close(loop)


@dataclass(slots=True)
class _Told:
    """Where verdicts are put until the caller takes them."""

    answers: list[Answer]

    def __call__(self, request: Request, verdict: Verdict) -> None:
        self.answers.append((request, verdict))


async def _next(pending: set["asyncio.Task[None]"], answers: list[Answer]) -> set["asyncio.Task[None]"]:
    """Wait until something is told, and a moment longer for what comes with it."""
    while pending and not answers:
        done, pending = await asyncio.wait(pending, timeout=LOOK_AGAIN_SECONDS)
        _raise_from(done)
    if pending:
        done, pending = await asyncio.wait(pending, timeout=GATHER_SECONDS)
        _raise_from(done)
    return pending


def _raise_from(done: set["asyncio.Task[None]"]) -> None:
    for task in done:
        task.result()


async def _talk(
    nas: Nas,
    requests: list[Request],
    gate: asyncio.Semaphore,
    told: _Told,
    pace: Sequence[float],
    clock: Callable[[], float],
) -> None:
    async with gate:
        try:
            channel = await Channel.open(nas.address, nas.port, pace)
        except OSError as error:
            for request in requests:
                told(request, Verdict(Result.RETRY, Outcome.TIMEOUT, None, f"No way to the NAS: {error}."))
            return
        try:
            await asyncio.gather(*(_settle(channel, request, told, clock) for request in requests))
        finally:
            channel.close()


async def _settle(channel: Channel, request: Request, told: _Told, clock: Callable[[], float]) -> None:
    verdict = await _ask(channel, request, clock)
    if verdict.result is Result.PER_SESSION:
        verdict = await _ask(channel, request, clock, complete=True)
    if verdict.result is Result.PER_SESSION:
        verdict = Verdict(Result.ALERT, verdict.outcome, verdict.error_cause, verdict.detail)
    told(request, verdict)


async def _ask(
    channel: Channel, request: Request, clock: Callable[[], float], *, complete: bool = False
) -> Verdict:
    try:
        reply = await channel.ask(
            lambda packet_id: build(request, packet_id=packet_id, now=int(clock()), complete=complete)
        )
    except UnsendableError as error:
        result = Result.FALLBACK if request.kind is Kind.COA else Result.ALERT
        return Verdict(result, Outcome.UNSENDABLE, None, str(error))
    except NoAnswerError as nothing:
        return _unanswered(nothing)
    return _read(request, reply)


def _read(request: Request, reply: Packet) -> Verdict:
    cause = first(reply, "Error-Cause")
    verdict = judge(request.kind, reply.code, cause if isinstance(cause, int) else None)
    if verdict is not None:
        return verdict
    return Verdict(Result.ALERT, Outcome.BAD_REPLY, None, f"The NAS answered with packet code {reply.code}.")


def _unanswered(nothing: NoAnswerError) -> Verdict:
    if nothing.bad_replies:
        detail = "The NAS answers with a wrong signature: its secret is another one."
        return Verdict(Result.RETRY, Outcome.BAD_REPLY, None, detail)
    if nothing.sent == 0:
        return Verdict(Result.RETRY, Outcome.SILENT, None, "Not sent: the NAS answers nothing at present.")
    if nothing.refused:
        return Verdict(Result.RETRY, Outcome.TIMEOUT, None, "Nothing listens on this port of the NAS.")
    detail = "No answer: the NAS is down, does not accept CoA from this address, or has another secret."
    return Verdict(Result.RETRY, Outcome.TIMEOUT, None, detail)


def _close(loop: asyncio.AbstractEventLoop) -> None:
    """End what a caller that stopped listening left behind, sockets included."""
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    if left:
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
    # A closed transport gives its socket back in the next turn of the loop.
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
