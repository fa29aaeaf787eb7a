"""The demo is loaded while workers are up, as `make run` does."""

from threading import Event, Thread

import pytest
from django.db import connections
from django.utils import timezone

from demo import data
from support import tasks
from support.models import Notice, NoticeKind, NoticeStatus


@pytest.mark.timeout(600)
@pytest.mark.django_db(transaction=True, databases=["default", "platform"])
def test_workers_that_look_for_outages_meanwhile_tell_nobody_and_lock_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Fewer customers, and no OLT but that of the outage: their lines are on it.
    monkeypatch.setattr(data, "TENANTS", {"demo": data.TENANTS["demo"]})
    monkeypatch.setattr(data, "CUSTOMERS", {"demo": (90, "EUR")})
    monkeypatch.setattr(data, "OLTS", ())
    loaded, told = Event(), []

    def look() -> None:
        try:
            while not loaded.wait(0.1):
                told.append(tasks.tell_outages())
        finally:
            connections.close_all()

    worker = Thread(target=look)
    worker.start()
    try:
        data.load(at=timezone.now())
    finally:
        loaded.set()
        worker.join()

    assert tasks.tell_outages() == 0
    assert set(told) == {0}
    outage = Notice._base_manager.using("platform").filter(kind=NoticeKind.OUTAGE)
    assert outage.exclude(status=NoticeStatus.SKIPPED).exists()
    assert not outage.filter(status=NoticeStatus.WAITING).exists()
