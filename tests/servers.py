"""A pytest plugin: one PostgreSQL and one Valkey for the whole run, started before Django reads its settings."""

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import pytest

from ispcore.embedded import Servers, start_servers
from tests.embedded.scratch import scratch_directory

_stack = contextlib.ExitStack()
servers: Servers


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests() -> Iterator[Any]:
    """Start the servers on free loopback ports; what runs is the runtime role, never the owner."""
    global servers
    directory = _stack.enter_context(scratch_directory())
    servers = _stack.enter_context(start_servers(directory / "data", durable=False))
    os.environ.update(servers.environment())
    os.environ["REQUESTS_PER_TENANT"] = "0"  # Many a test is 64 callers of one tenant.
    return (yield)


def pytest_unconfigure() -> None:
    _stack.close()
