"""A change to more rows than a person waits for."""

from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from ispcore.files.models import StoredFile
from ispcore.files.services import open_file
from ispcore.jobs import services as jobs
from ispcore.jobs.models import Job, JobStatus
from ispcore.tenants.models import Tenant
from subscribers.models import Hold, Subscriber, Subscription
from subscribers.services import lines, mass
from subscribers.services.mass import runs
from tests.admin.test_customers import text_of
from tests.admin.test_mass_actions import confirmed
from tests.factories import (
    SubscriberFactory,
    SubscriptionFactory,
)

PEOPLE = "/admin/subscribers/subscriber/"
LINES = "/admin/subscribers/subscription/"

pytestmark = pytest.mark.django_db


class TestJob:
    """More rows than a person waits for."""

    @pytest.fixture(autouse=True)
    def _small(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(mass, "MOST_AT_ONCE", 2)
        monkeypatch.setattr(runs, "BATCH", 2)

    @pytest.fixture
    def job(self, browser: Client, people: dict[str, Subscriber]) -> Job:
        """Four customers and one more that runs, to be suspended."""
        more = SubscriberFactory(status="active", full_name="Last of all")
        answer = browser.post(
            PEOPLE, confirmed("suspend_many", *people.values(), more, reason="staff", note="Storm")
        )
        job: Job = Job.objects.get(kind="subscribers.apply_to_many")
        assert answer["Location"] == reverse("admin:jobs_job_change", args=[job.pk])
        return job

    def test_counts_by_outcome_and_lists_each_refusal(self, browser: Client, job: Job) -> None:
        self._run(job)

        assert (job.status, job.label) == (JobStatus.SUCCEEDED, "Suspend 5 subscribers")
        assert job.result is not None
        assert job.result["counts"] == {"suspended": 2, "already": 1, "prospect": 1, "inactive": 1}
        assert [each["reason"] for each in job.result["refusals"]] == [
            "Was not a customer yet and stayed as it was.",
            "Was inactive and stayed as it was.",
        ]
        with open_file(StoredFile.objects.get(pk=job.result["refusals_file_id"])) as stream:
            table = stream.read().decode("utf-8-sig").splitlines()
        assert table[0] == "ID,Number,Name,Reason"
        assert [row.split(",")[2] for row in table[1:]] == ["The prospect one", "The inactive one"]
        text = text_of(browser.get(reverse("admin:jobs_job_change", args=[job.pk])).content)
        assert "2 suspended" in text
        assert "The prospect one" in text
        assert "Download all that were not done" in text

    def test_runs_once_however_often_its_message_comes(self, job: Job) -> None:
        self._run(job)
        first = job.result
        self._run(job)

        assert (job.result, job.attempts) == (first, 1)
        assert Hold.objects.count() == 1

    def test_started_again_finds_everything_done(self, job: Job) -> None:
        self._run(job)
        params = {key: value for key, value in job.params.items() if key != "state"}
        again = jobs.enqueue(kind=job.kind, params=params, label=job.label)
        self._run(again)

        assert again.result is not None
        assert again.result["counts"] == {"already": 3, "prospect": 1, "inactive": 1}
        assert Hold.objects.count() == 1

    def test_goes_on_after_a_worker_that_was_lost(self, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
        """The first worker dies after its second batch, in the middle of the third."""
        calls: list[Any] = []
        apply = runs._apply

        def die_in_the_third(*args: Any) -> Any:
            calls.append(args[1])
            if len(calls) == 3:
                raise jobs.JobLost
            return apply(*args)

        monkeypatch.setattr(runs, "_apply", die_in_the_third)
        self._run(job)
        assert (job.status, job.params["state"]["done"]) == (JobStatus.RUNNING, 4)
        Job.objects.filter(pk=job.pk).update(heartbeat_at=Now() - jobs.LEASE * 2)
        self._run(job)

        assert job.status == JobStatus.SUCCEEDED
        assert job.result is not None
        assert job.result["counts"] == {"suspended": 2, "already": 1, "prospect": 1, "inactive": 1}
        assert len(job.result["refusals"]) == 2
        assert [len(keys) for keys in calls] == [2, 2, 1, 1]

    def test_does_nothing_for_a_worker_that_was_thought_dead(
        self, job: Job, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        apply = runs._apply

        def lose_the_job(*args: Any) -> Any:
            tally = apply(*args)
            Job.objects.filter(pk=job.pk).update(run_token=None, status=JobStatus.QUEUED)
            return tally

        monkeypatch.setattr(runs, "_apply", lose_the_job)
        self._run(job)
        monkeypatch.setattr(runs, "_apply", apply)
        self._run(job)

        assert job.status == JobStatus.SUCCEEDED
        assert job.result is not None
        assert sum(job.result["counts"].values()) == 5

    def test_says_when_a_row_refuses_for_a_reason_of_its_own(self, acting: Tenant) -> None:
        line = SubscriptionFactory(status="active")
        change = mass.change_named("suspend", Subscription)

        def refuse(key: Any, asked: Any, moment: Any) -> object:
            raise lines.LineOnHold(reasons="staff")

        stubborn = mass.Change(change.name, change.label, change.model, change.endings, change.sort, refuse)
        tally = mass.apply_now(change=stubborn, keys=[line.pk], asked={"reason": "staff"}, at=timezone.now())

        assert tally.counts == {"refused": 1}
        assert "on hold (staff)" in tally.refusals[0].reason
        assert not Hold.objects.exists()

    def test_whose_time_is_over_ends_as_refused(self, job: Job) -> None:
        late = (timezone.now() - timedelta(minutes=1)).isoformat()
        Job.objects.filter(pk=job.pk).update(
            params={**job.params, "asked": {"reason": "staff", "until": late}}
        )
        self._run(job)

        assert (job.status, job.error_code) == (JobStatus.FAILED, "ends_in_the_past")
        assert not Hold.objects.exists()

    def _run(self, job: Job) -> None:
        jobs.perform(
            tenant_id=str(job.tenant_id),
            job_id=str(job.pk),
            work=lambda run: mass.apply_to_many(run, at=timezone.now()),
        )
        job.refresh_from_db()
