"""Customers and their lines as staff see and change them."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from ispcore.admin.actions import CONFIRMED, PREVIEW
from ispcore.jobs.models import Job
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant, User
from ispcore.tenants.roles import Role
from subscribers.models import Hold, Subscriber, SubscriberSettings, Subscription
from subscribers.services import customers, lines, plan_changes
from tests.admin.test_actions import action_url
from tests.factories import PlanFactory, PremiseFactory, SubscriberFactory, SubscriptionFactory, ZoneFactory

LIST = "/admin/subscribers/subscriber/"


def text_of(page: bytes) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.decode()))


def page_of(row: Any) -> str:
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


@pytest.mark.django_db
class TestSubscriberList:
    @pytest.mark.parametrize("term", ["mar", "SUB-000001", "912345", "maria@north", "nor mar"])
    def test_finds_by_the_beginnings_of_words(self, browser: Client, rows: dict[str, Any], term: str) -> None:
        with tenant_context(rows["subscribers.Subscriber"].tenant_id):
            customers.create_subscriber(full_name="Somebody Else")

        found = browser.get(LIST, {"q": term}).context["cl"].result_list

        assert [str(each) for each in found] == ["Maria North"]

    @pytest.mark.parametrize("term", ["aria", "zzz", "%", "'", "12 99 zz"])
    def test_says_when_nothing_is_found(self, browser: Client, rows: dict[str, Any], term: str) -> None:
        assert b"Nothing matches" in browser.get(LIST, {"q": term}).content

    def test_filters_by_status_tag_and_zone(self, browser: Client, rows: dict[str, Any]) -> None:
        zone = rows["subscribers.Zone"].pk
        with tenant_context(rows["subscribers.Subscriber"].tenant_id):
            SubscriberFactory()

        def found(**by: Any) -> list[str]:
            return [str(each) for each in browser.get(LIST, by).context["cl"].result_list]

        assert found(tag="vip") == found(zone=zone) == found(status__exact="active") == ["Maria North"]
        assert found(tag="gold") == found(zone="nonsense") == found(status__exact="inactive") == []

    def test_another_tenants_zone_filters_nothing_in(
        self, browser: Client, rows: dict[str, Any], foreign_rows: dict[str, Any]
    ) -> None:
        answer = browser.get(LIST, {"zone": foreign_rows["subscribers.Zone"].pk})

        assert list(answer.context["cl"].result_list) == []

    def test_shows_labels_and_no_codes(self, browser: Client, rows: dict[str, Any]) -> None:
        page = text_of(browser.get("/admin/subscribers/subscription/").content)

        assert "Suspended" in page
        assert "Abuse" in page
        assert "pending_installation" not in page


@pytest.mark.django_db
class TestSubscriberPage:
    def test_shows_who_it_is_and_why_a_line_is_barred(self, browser: Client, rows: dict[str, Any]) -> None:
        page = browser.get(page_of(rows["subscribers.Subscriber"])).content

        text = text_of(page)
        assert "Service 1 Suspended Abuse" in text
        assert "Fibre of North · 1 North Road, North stethoscope Diagnosis Resume" in text
        assert "Open relay" in text
        assert b'href="tel:+351912345678"' in page
        assert "Crm owner" in text
        assert "Team blue" in text
        assert "{" not in text.split("From integrations")[1].split("Save")[0]

    def test_tells_what_happened_to_all_that_is_theirs(
        self, browser: Client, rows: dict[str, Any], admin_user: User
    ) -> None:
        line = rows["subscribers.Subscription"]
        browser.post(action_url(line, "resume"), {CONFIRMED: "yes", "reason": "abuse"})

        answer = browser.get(page_of(rows["subscribers.Subscriber"]), {"tab": "timeline"})

        text = text_of(answer.content)
        assert "Status: Suspended → became Active" in text
        assert "Service 1, hold: Abuse changed" in text
        assert "Subscriber created" in text
        assert str(admin_user) in {entry.who for entry in answer.context["entries"]}
        assert [entry.at for entry in answer.context["entries"]] == sorted(
            (entry.at for entry in answer.context["entries"]), reverse=True
        )

    @pytest.mark.parametrize("tab", ["", "services", "timeline", "nonsense"])
    def test_costs_the_same_for_one_line_or_six(
        self, browser: Client, acting: Tenant, query_count: Callable[..., int], tab: str
    ) -> None:
        customer = SubscriberFactory()

        def add_line() -> None:
            line = SubscriptionFactory(
                subscriber=customer, premise=PremiseFactory(zone=ZoneFactory()), status="suspended"
            )
            Hold.objects.create(subscription=line, reason="abuse", opened_at=timezone.now())

        add_line()
        add_line()
        browser.get(page_of(customer))  # Django asks for a model's content type once per process.
        two = query_count(browser.get, page_of(customer), {"tab": tab})

        for _ in range(5):
            add_line()

        assert query_count(browser.get, page_of(customer), {"tab": tab}) == two

    def test_offers_no_action_to_whom_may_only_look(
        self, browser_as: Callable[[Role], Client], rows: dict[str, Any]
    ) -> None:
        page = browser_as(Role.SUPPORT).get(page_of(rows["subscribers.Subscriber"])).content

        assert b"/do/" not in page
        assert b"Order" not in page


@pytest.mark.django_db
class TestSubscriberForm:
    FORM = {"full_name": "Rui Ramos", "phone": "+351 912 000 111", "email": "Rui@Example.org", "tags": "a, b"}

    def test_goes_through_the_service(self, browser: Client, tenant: Tenant) -> None:
        answer = browser.post(f"{LIST}add/", self.FORM)

        assert answer.status_code == 302
        with tenant_context(tenant.pk):
            made = Subscriber.objects.get()
            assert (made.number, made.phone_e164, made.email_lower) == (
                "SUB-000001",
                "+351912000111",
                "rui@example.org",
            )
            assert (made.tags, made.status) == (["a", "b"], "prospect")
            assert made.words.filter(word="rui").exists()

    def test_a_change_is_found_at_once(self, browser: Client, rows: dict[str, Any], tenant: Tenant) -> None:
        customer = rows["subscribers.Subscriber"]

        answer = browser.post(
            page_of(customer),
            {**self.FORM, "full_name": "Maria Nova", "status": "inactive", "number": "SUB-7"},
        )

        assert answer.status_code == 302
        with tenant_context(tenant.pk):
            customer.refresh_from_db()
            assert (customer.full_name, customer.status, customer.number) == (
                "Maria Nova",
                "active",
                "SUB-000001",
            )
            assert customer.metadata == {"crm_owner": "team_blue"}
        assert b"Maria Nova" in browser.get(LIST, {"q": "nova"}).content

    @pytest.mark.parametrize(
        ("wrong", "field", "said"),
        [
            ({"phone": "abc"}, "phone", "This is no phone number; begin with + and the country code."),
            ({"external_id": "CRM-1"}, "external_id", "Another subscriber has this already."),
            ({"email": "taken@example.org"}, "email", "A subscriber with the provided email already exists."),
            (
                {"document_type": "passport", "document_number": "P-1"},
                "document_number",
                "A subscriber with the provided document already exists.",
            ),
        ],
    )
    def test_comes_back_as_typed_with_the_refusal_at_its_field(
        self, browser: Client, acting: Tenant, wrong: dict[str, str], field: str, said: str
    ) -> None:
        SubscriberSettings.objects.create(duplicate_rules=["document", "email"])
        SubscriberFactory(external_id="CRM-1", email_lower="taken@example.org", document_normal="P1")

        answer = browser.post(f"{LIST}add/", {**self.FORM, "city": "Braga", **wrong})

        assert answer.status_code == 200
        form = answer.context["adminform"].form
        assert form.errors == {field: [said]}
        assert (form["full_name"].value(), form["city"].value(), form[field].value()) == (
            "Rui Ramos",
            "Braga",
            wrong[field],
        )
        assert Subscriber.objects.count() == 1

    def test_a_refused_change_comes_back_too(
        self, browser: Client, rows: dict[str, Any], tenant: Tenant
    ) -> None:
        customer = rows["subscribers.Subscriber"]

        answer = browser.post(page_of(customer), {**self.FORM, "full_name": "Other", "phone": "abc"})

        assert list(answer.context["adminform"].form.errors) == ["phone"]
        assert b'value="Other"' in answer.content
        with tenant_context(tenant.pk):
            customer.refresh_from_db()
            assert (customer.full_name, customer.phone) == ("Maria North", "+351912345678")

    def test_nobody_is_deleted(self, browser: Client, rows: dict[str, Any]) -> None:
        for label in ("subscribers.Subscriber", "subscribers.Subscription"):
            row = rows[label]
            url = reverse(f"admin:subscribers_{row._meta.model_name}_delete", args=[row.pk])

            assert browser.post(url, {"post": "yes"}).status_code == 403


@pytest.mark.django_db
class TestLines:
    @pytest.fixture
    def line(self, acting: Tenant) -> Subscription:
        customer = customers.create_subscriber(full_name="Rui Ramos", status="active")
        made = lines.create_service(
            subscriber_id=customer.pk,
            plan_id=PlanFactory().pk,
            premise_id=PremiseFactory().pk,
            on=timezone.localdate(),
            wifi_password="never-shown",
        )
        return Subscription.objects.get(pk=made.pk)

    def test_live_by_actions(self, browser: Client, line: Subscription, admin_user: User) -> None:
        until = (timezone.now() + timedelta(days=3)).strftime("%Y-%m-%dT%H:%M")
        suspension = {CONFIRMED: "yes", "reason": "vacation", "note": "Away", "until": until}
        seen = []
        for name, data in (
            ("activate", {CONFIRMED: "yes"}),
            ("suspend", suspension),
            ("resume", {CONFIRMED: "yes", "reason": "vacation"}),
            ("terminate", {CONFIRMED: "yes"}),
        ):
            answer = browser.post(action_url(line, name), data)
            line.refresh_from_db()
            seen.append((answer["Location"], line.status))

        assert seen == [(page_of(line), status) for status in ("active", "suspended", "active", "terminated")]
        hold = Hold.objects.get()
        assert (hold.note, hold.opened_by_id, hold.released_by_id) == ("Away", admin_user.pk, admin_user.pk)
        assert hold.until is not None

    def test_a_wrong_answer_is_asked_again_and_changes_nothing(
        self, browser: Client, line: Subscription
    ) -> None:
        browser.post(action_url(line, "activate"), {CONFIRMED: "yes"})

        past = browser.post(
            action_url(line, "suspend"),
            {CONFIRMED: "yes", "reason": "staff", "until": "2020-01-01T00:00", "note": "Kept as typed"},
        )
        unknown = browser.post(action_url(line, "suspend"), {CONFIRMED: "yes", "reason": "mood"})

        assert b"has passed already" in past.content
        assert b"Kept as typed" in past.content
        assert b"Select a valid choice" in unknown.content
        assert not Hold.objects.exists()

    def test_an_impossible_move_is_refused_in_words(self, browser: Client, line: Subscription) -> None:
        page = browser.post(action_url(line, "terminate"), {CONFIRMED: "yes"}, follow=True).content

        line.refresh_from_db()
        assert "cannot become" in page.decode()
        assert line.status == "pending_installation"

    def test_change_their_plan_now_or_later(self, browser: Client, line: Subscription) -> None:
        better, best = PlanFactory(name="Better"), PlanFactory(name="Best")
        today = timezone.localdate()
        later = today + timedelta(days=9)

        browser.post(
            action_url(line, "change_plan"), {CONFIRMED: "yes", "to_plan": better.pk, "effective_on": today}
        )
        browser.post(
            action_url(line, "change_plan"), {CONFIRMED: "yes", "to_plan": best.pk, "effective_on": later}
        )

        line.refresh_from_db()
        assert line.plan_id == better.pk
        text = text_of(browser.get(page_of(line)).content)
        assert "→ Better" in text
        assert "Better → Best" in text
        assert "Waiting" in text

    def test_show_what_a_change_of_plan_costs_before_it_is_confirmed(
        self, browser: Client, line: Subscription
    ) -> None:
        browser.post(action_url(line, "activate"), {CONFIRMED: "yes"})
        better, today = PlanFactory(price="59.90"), timezone.localdate()
        answers = {"to_plan": better.pk, "effective_on": today}

        first = browser.get(action_url(line, "change_plan")).content.decode()
        shown = browser.post(
            action_url(line, "change_plan"), {**answers, PREVIEW: "yes"}, headers={"HX-Request": "true"}
        )
        same = browser.post(
            action_url(line, "change_plan"), {**answers, "to_plan": line.plan_id, PREVIEW: "yes"}
        )

        cost = plan_changes.preview_plan_change(subscription_id=line.pk, to_plan_id=better.pk, on=today)
        text = text_of(shown.content)
        assert f'name="{CONFIRMED}"' not in first
        assert f'name="{CONFIRMED}"' in shown.content.decode()
        assert f"Credit for the old plan {cost.credit} EUR" in text
        assert f"Charge for the new plan {cost.charge} EUR" in text
        assert f"Net, before tax {cost.net} EUR" in text
        assert f"{cost.days_left} of {cost.days_in_period} days are left" in text
        assert "The service has this product already." in text_of(same.content)
        assert f'name="{CONFIRMED}"' not in same.content.decode()
        line.refresh_from_db()
        assert line.plan_id != better.pk

    def test_call_a_waiting_change_of_plan_off(self, browser: Client, line: Subscription) -> None:
        before, later = line.plan_id, timezone.localdate() + timedelta(days=9)
        assert b"/do/cancel_plan_change/" not in browser.get(page_of(line)).content
        browser.post(
            action_url(line, "change_plan"),
            {CONFIRMED: "yes", "to_plan": PlanFactory().pk, "effective_on": later},
        )

        page = browser.get(page_of(line)).content
        answer = browser.post(action_url(line, "cancel_plan_change"), {CONFIRMED: "yes"}, follow=True)
        again = browser.post(action_url(line, "cancel_plan_change"), {CONFIRMED: "yes"}, follow=True)

        assert b"/do/cancel_plan_change/" in page
        assert b"/do/change_plan/" not in page
        text = text_of(answer.content)
        assert "The change of plan is called off." in text
        assert "Called off" in text
        assert "No change of plan was waiting." in text_of(again.content)
        line.refresh_from_db()
        assert line.plan_id == before

    def test_cannot_change_to_another_tenants_plan(
        self, browser: Client, line: Subscription, foreign_rows: dict[str, Any]
    ) -> None:
        foreign = foreign_rows["subscribers.Plan"]

        asked = browser.get(action_url(line, "change_plan")).content.decode()
        answer = browser.post(
            action_url(line, "change_plan"),
            {CONFIRMED: "yes", "to_plan": foreign.pk, "effective_on": timezone.localdate()},
        )

        assert str(foreign.pk) not in asked
        assert b"Select a valid choice" in answer.content

    def test_keep_their_wifi_password_to_themselves(self, browser: Client, line: Subscription) -> None:
        page = browser.get(page_of(line)).content.decode()
        browser.post(page_of(line), {"isp_reference": "R-1", "wifi_name": "Home", "wifi_password": ""})

        line.refresh_from_db()
        assert "never-shown" not in page
        assert "stored; leave empty to keep" in page
        assert (line.isp_reference, line.wifi_password.reveal()) == ("R-1", "never-shown")

        browser.post(page_of(line), {"isp_reference": "R-1", "wifi_name": "Home", "wifi_password": "second"})

        line.refresh_from_db()
        assert line.wifi_password.reveal() == "second"

    def test_are_ordered_for_a_customer(self, browser: Client, line: Subscription, admin_user: User) -> None:
        order = {"subscriber": line.subscriber_id, "plan": line.plan_id, "premise": line.premise_id}

        answer = browser.post("/admin/subscribers/subscription/add/", {**order, "wifi_password": ""})

        made = Subscription.objects.exclude(pk=line.pk).get()
        assert answer.status_code == 302
        assert (made.number, made.status, made.created_by_id) == (2, "pending_installation", admin_user.pk)

    def test_a_refused_order_names_the_plan_and_keeps_no_secret(
        self, browser: Client, line: Subscription
    ) -> None:
        gone = PlanFactory(sold_until=timezone.localdate())
        order = {"subscriber": line.subscriber_id, "plan": gone.pk, "premise": line.premise_id}

        answer = browser.post(
            "/admin/subscribers/subscription/add/",
            {**order, "isp_reference": "R-7", "wifi_password": "hunter2222"},
        )

        page = answer.content.decode()
        assert list(answer.context["adminform"].form.errors) == ["plan"]
        assert 'value="R-7"' in page
        assert "hunter2222" not in page
        assert Subscription.objects.count() == 1

    @pytest.mark.parametrize("term", ["1", "#1", "ram", "rui ramos"])
    def test_are_found_by_number_and_by_customer(
        self, browser: Client, line: Subscription, term: str
    ) -> None:
        SubscriptionFactory()

        answer = browser.get("/admin/subscribers/subscription/", {"q": term})

        assert [found.pk for found in answer.context["cl"].result_list] == [line.pk]

    def test_all_of_an_unhappy_customer_are_barred_together(
        self, browser: Client, line: Subscription
    ) -> None:
        browser.post(action_url(line, "activate"), {CONFIRMED: "yes"})

        browser.post(action_url(line.subscriber, "suspend"), {CONFIRMED: "yes", "reason": "fraud"})

        line.refresh_from_db()
        assert (line.status, line.subscriber.status) == ("suspended", "suspended")
        assert Hold.objects.get().reason == "fraud"


@pytest.mark.django_db
def test_all_data_of_a_customer_is_asked_for_on_their_page(browser: Client, acting: Tenant) -> None:
    customer = SubscriberFactory()

    answer = browser.post(action_url(customer, "export_person"), {CONFIRMED: "yes"})

    job = Job.objects.get(kind="subscribers.export_person")
    assert answer["Location"] == reverse("admin:jobs_job_change", args=[job.pk])
    assert job.params["subscriber_id"] == str(customer.pk)
