"""Statements and their lines under many hands at one moment, and under a worker that dies."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone

from billing.models import BankLine, BankStatement, Payment, StatementStatus, Transfer
from billing.services import bank
from ispcore.errors import DomainError
from ispcore.jobs import services as jobs
from ispcore.jobs.models import Job, JobStatus
from ispcore.tenants.context import tenant_context
from tests.billing.paying import owe, payer
from tests.billing.statements import NOW, csv

pytestmark = pytest.mark.django_db(transaction=True)
AT_ONCE = 8


def together(tenant_id: Any, calls: list[Callable[[], object]]) -> Counter[str]:
    """Run all calls at the same moment; count what they came to."""
    gate = Barrier(len(calls))

    def run(call: Callable[[], object]) -> str:
        gate.wait()
        try:
            with tenant_context(tenant_id):
                call()
        except DomainError as refusal:
            return refusal.code
        finally:
            connections.close_all()
        return "done"

    with ThreadPoolExecutor(len(calls)) as threads:
        return Counter(threads.map(run, calls))


def waiting_line(tenant_id: Any) -> BankLine:
    with tenant_context(tenant_id):
        statement = bank.request_reconciliation(
            name="x.csv", content=[csv("2026-03-10;29.90;Nobody;hello")], currency="EUR"
        )
    perform_outside(tenant_id, statement)
    with tenant_context(tenant_id):
        line: BankLine = BankLine.objects.get()
        return line


def perform_outside(tenant_id: Any, statement: BankStatement) -> None:
    jobs.perform(
        tenant_id=str(tenant_id), job_id=str(statement.job_id), work=lambda run: bank.reconcile(run, at=NOW)
    )


def test_one_line_paired_by_many_is_one_payment(tenant):
    line = waiting_line(tenant.pk)
    with tenant_context(tenant.pk):
        subscriber = payer()

    counted = together(
        tenant.pk, [lambda: bank.pair(line_id=line.pk, subscriber_id=subscriber.pk, at=NOW)] * AT_ONCE
    )

    assert counted == {"done": AT_ONCE}
    with tenant_context(tenant.pk):
        assert Payment.objects.count() == Transfer.objects.count() == 1


def test_one_line_paired_with_two_customers_is_one_ones(tenant):
    line = waiting_line(tenant.pk)
    with tenant_context(tenant.pk):
        people = [payer(), payer()]

    counted = together(
        tenant.pk,
        [
            partial(bank.pair, line_id=line.pk, subscriber_id=each.pk, at=NOW)
            for each in people * (AT_ONCE // 2)
        ],
    )

    assert counted == {"done": AT_ONCE // 2, "line_matched": AT_ONCE // 2}
    with tenant_context(tenant.pk):
        assert Payment.objects.count() == 1


def test_one_file_uploaded_by_many_is_one_statement(tenant):
    content = csv("2026-03-10;29.90;Nobody;hello")

    counted = together(
        tenant.pk, [lambda: bank.request_reconciliation(name="x.csv", content=[content])] * AT_ONCE
    )

    assert counted == {"done": 1, "duplicate_statement": AT_ONCE - 1}
    with tenant_context(tenant.pk):
        assert BankStatement.objects.count() == 1


def test_a_worker_that_died_between_two_bookings_is_followed_by_one_that_goes_on(tenant):
    with tenant_context(tenant.pk):
        subscriber = payer()
        numbers = [owe(subscriber, f"{n}.00").number for n in (10, 20, 30)]
        statement = bank.request_reconciliation(
            name="x.csv",
            content=[csv(*[f"2026-03-10;{n}0.00;x;{number}" for n, number in enumerate(numbers, 1)])],
        )
    killed_after(tenant.pk, statement, payments=1)
    with tenant_context(tenant.pk):
        before = BankStatement.objects.get().status, Payment.objects.count()

    perform_outside(tenant.pk, statement)

    assert before == (StatementStatus.MATCHING, 1)
    with tenant_context(tenant.pk):
        assert BankStatement.objects.get().status == StatementStatus.DONE
        assert sorted(Payment.objects.values_list("amount", flat=True)) == [10, 20, 30]
        assert Transfer.objects.filter(kind="payment").count() == 3


def killed_after(tenant_id: Any, statement: BankStatement, *, payments: int) -> None:
    """Do a worker's work until so many payments are booked, and leave the job as a dead worker leaves it."""

    class Killed(BaseException):
        pass

    class Dying(jobs.Run):
        def progress(self, done: int, total: int, message: str = "") -> None:
            if message == "Booking" and done == payments:
                raise Killed

    with tenant_context(tenant_id):
        Job.objects.filter(pk=statement.job_id).update(
            status=JobStatus.RUNNING, run_token=statement.pk, heartbeat_at=timezone.now()
        )
        run = Dying(tenant_id=tenant_id, job=Job.objects.get(pk=statement.job_id), token=statement.pk)
    with pytest.raises(Killed):
        bank.reconcile(run, at=NOW)
    with tenant_context(tenant_id):
        Job.objects.filter(pk=statement.job_id).update(heartbeat_at=timezone.now() - jobs.LEASE * 2)
