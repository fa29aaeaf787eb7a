"""Fixtures of the API's own tests."""

import pytest

from ispcore.api import throttles
from tests.client import Api


@pytest.fixture
def anonymous(db: None) -> Api:
    """The API without a credential."""
    return Api()


@pytest.fixture(autouse=True)
def no_remembered_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that takes Redis away must not switch the limits off for the next one."""
    monkeypatch.setattr(throttles, "_outage", throttles._Outage())
