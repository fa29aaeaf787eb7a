"""Address imports and reconciliations as staff start them, read them and settle what they found."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from ipam.models import Address, BookImport, Drift, Reconciliation
from ipam.services import space
from ispcore.jobs.models import Job
from ispcore.tenants.models import Tenant
from tests.admin.test_addresses import confirm, list_of
from tests.admin.test_hardware_pages import page_of, text_of
from tests.ipam import importing
from tests.ipam.space import subnet_in
from tests.ipam.test_reconciliation import perform


@pytest.mark.django_db
@pytest.mark.usefixtures("acting")
class TestDrifts:
    def test_are_settled_one_by_one_or_together(self, browser: Client) -> None:
        subnet, now = subnet_in(space.default_vrf(), "10.0.0.0/24"), timezone.now()
        run = Reconciliation.objects.create(vrf=subnet.vrf, seen_in="arp", status="done", started_at=now)
        first, second, third = (
            Drift.objects.create(
                reconciliation=run, vrf=subnet.vrf, address=f"10.0.0.{n}", kind="used_but_free"
            )
            for n in (5, 6, 7)
        )

        confirm(browser, first, "reserve")
        confirm(browser, second, "dismiss")
        confirm(browser, run, "keep_all")

        assert [Drift.objects.get(pk=each.pk).repair for each in (first, second, third)] == [
            "reserved", "dismissed", "reserved",
        ]  # fmt: skip
        kept = Address.objects.filter(state="reserved").order_by("address").values_list("address", flat=True)
        assert list(kept) == ["10.0.0.5", "10.0.0.7"]
        listed = browser.get(list_of("drift"), {"state": "open"}).context["cl"].result_list
        assert list(listed) == []


@pytest.mark.django_db
@pytest.mark.usefixtures("acting")
class TestImports:
    FILE = b"address,assigned to,note\n10.0.0.7,lamp,hall\n10.0.0.300,lamp,\n10.0.0.0,lamp,\n"

    def test_are_checked_shown_row_by_row_and_taken_in(self, browser: Client, acting: Tenant) -> None:
        subnet_in(space.default_vrf(), "10.0.0.0/24")
        upload = SimpleUploadedFile("book.csv", self.FILE)

        browser.post(reverse("admin:ipam_bookimport_add"), {"upload": upload})
        made = BookImport.objects.get()
        importing.perform(made.job, made, acting)
        checked = text_of(browser.get(page_of(made)).content)

        assert "Nothing is taken in yet." in checked
        assert "3 Address &#x27;10.0.0.300&#x27; is no IP address." in checked
        assert "network address of 10.0.0.0/24" in checked
        assert not Address.objects.exclude(state="free").exists()

        confirm(browser, made, "take_in")
        made.refresh_from_db()
        importing.perform(made.job, made, acting)

        assert Address.objects.get(state="assigned").address == "10.0.0.7"
        assert "The import is complete." in text_of(browser.get(page_of(made)).content)
        job = Job.objects.get(kind="ipam.take_in_book")
        page = browser.get(reverse("admin:jobs_job_change", args=[job.pk])).content.decode()
        assert page_of(made) in page
        assert f"subscribers/import/{made.pk}" not in page

    def test_of_what_is_no_table_are_refused_at_the_field(self, browser: Client) -> None:
        upload = SimpleUploadedFile("book.csv", b"name,colour\nlamp,red\n")

        answer = browser.post(reverse("admin:ipam_bookimport_add"), {"upload": upload})

        assert list(answer.context["adminform"].form.errors) == ["upload"]
        assert not BookImport.objects.exists()


@pytest.mark.django_db
@pytest.mark.usefixtures("acting")
class TestReconciliations:
    def test_of_a_list_fill_the_work_list(self, browser: Client) -> None:
        subnet = subnet_in(space.default_vrf(), "10.0.0.0/24")
        upload = SimpleUploadedFile("arp.csv", b"address,mac\n10.0.0.9,02:00:5e:00:00:01\n")

        browser.post(
            reverse("admin:ipam_reconciliation_add"),
            {"seen_in": "arp", "vrf": subnet.vrf_id, "upload": upload},
        )
        run = Reconciliation.objects.get()
        perform(run)

        page = text_of(browser.get(page_of(run)).content)
        assert "Used, and free in the book" in page
        drift = Drift.objects.get()
        assert (drift.address, drift.kind) == ("10.0.0.9", "used_but_free")
        assert "02:00:5e:00:00:01" in text_of(browser.get(list_of("drift")).content)

    def test_need_their_list(self, browser: Client) -> None:
        answer = browser.post(reverse("admin:ipam_reconciliation_add"), {"seen_in": "arp"})

        assert "Give the list as a file." in text_of(answer.content)
        assert not Reconciliation.objects.exists()
