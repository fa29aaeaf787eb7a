"""Put agents on UDP ports: one thread and one event loop, however many OLTs."""

import asyncio
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Protocol, Self, cast

from demo.olt.agent import Agent

Address = tuple[str, int]


class CommandLine(Protocol):
    """What is served beside the agents, in the same loop, so that both see one device."""

    async def start(self) -> None:
        """Bind. Raises OSError when the address is taken."""
        ...

    async def stop(self) -> None: ...


class _Endpoint(asyncio.DatagramProtocol):
    def __init__(self, agent: Agent, latency_seconds: float) -> None:
        self._agent = agent
        self._latency = latency_seconds
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: Address) -> None:
        transport = self._transport
        if transport is None:
            return
        for delay, answer in self._agent.answer(data):
            if wait := delay + self._latency:
                asyncio.get_running_loop().call_later(wait, transport.sendto, answer, addr)
            else:
                transport.sendto(answer, addr)


class AgentServer:
    """Serve each agent on its own address, where port 0 takes any free one; use it in a `with` block."""

    def __init__(
        self,
        agents: Sequence[tuple[Agent, Address]],
        *,
        latency_seconds: float = 0.0,
        command_lines: Sequence[CommandLine] = (),
    ) -> None:
        self._agents = agents
        self._command_lines = command_lines
        self._latency = latency_seconds
        self._thread = threading.Thread(target=self._run, name="simulated-olt", daemon=True)
        self._ready = threading.Event()
        self._error: OSError | None = None
        self.addresses: list[Address] = []

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Bind all addresses and answer in a thread. Raises OSError when one is taken."""
        self._loop = asyncio.new_event_loop()
        self._thread.start()
        self._ready.wait()
        if self._error:
            self._thread.join()
            raise self._error

    def stop(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        transports: list[asyncio.DatagramTransport] = []
        try:
            for agent, address in self._agents:
                transport, _ = self._loop.run_until_complete(
                    self._loop.create_datagram_endpoint(
                        lambda agent=agent: _Endpoint(agent, self._latency),  # type: ignore[misc]
                        local_addr=address,
                    )
                )
                transports.append(transport)
                self.addresses.append(transport.get_extra_info("sockname")[:2])
            for command_line in self._command_lines:
                self._loop.run_until_complete(command_line.start())
        except OSError as error:
            self._error = error
        self._ready.set()
        if not self._error:
            self._loop.run_forever()
        for command_line in self._command_lines:
            self._loop.run_until_complete(command_line.stop())
        for transport in transports:
            transport.close()
        self._loop.run_until_complete(asyncio.sleep(0))  # Lets the transports close their sockets.
        self._loop.close()
