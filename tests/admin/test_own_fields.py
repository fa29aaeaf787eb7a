"""What a provider keeps besides: custom fields, consents, the rules of its records, and holds lifted by name."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from ispcore.admin.actions import CONFIRMED
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant
from ispcore.tenants.roles import Role
from subscribers.models import CustomField, Hold, Subscriber, SubscriberSettings
from subscribers.services import custom_fields, customers
from tests.admin.test_actions import action_url
from tests.admin.test_customers import LIST, page_of, text_of
from tests.factories import SubscriberFactory, SubscriptionFactory

pytestmark = pytest.mark.django_db

SETTINGS = f"{LIST}settings/"
FIELDS = "/admin/subscribers/customfield/"


@pytest.fixture
def _fields(acting: Tenant) -> None:
    custom_fields.create_custom_field(
        key="referred_by", label="Referred by", is_required=True, help_text="Who sent them."
    )
    custom_fields.create_custom_field(key="flats", label="Flats", kind="number")
    custom_fields.create_custom_field(key="moved_in", label="Moved in", kind="date")
    custom_fields.create_custom_field(key="is_deaf", label="Is deaf", kind="boolean")
    custom_fields.create_custom_field(key="language", label="Language", kind="choice", choices=["pt", "en"])


OWN = {"own_referred_by": "Ana", "own_flats": "3", "own_moved_in": "2026-02-01", "own_language": "pt"}
STORED = {"referred_by": "Ana", "flats": 3, "moved_in": "2026-02-01", "language": "pt", "is_deaf": False}


@pytest.mark.usefixtures("_fields")
class TestCustomFieldsOnTheForm:
    def test_are_stored_by_kind(self, browser: Client) -> None:
        browser.post(f"{LIST}add/", {"full_name": "Rui", **OWN})

        assert Subscriber.objects.get().custom_fields == STORED

    def test_show_what_is_stored_with_their_help(self, browser: Client) -> None:
        who = customers.create_subscriber(full_name="Rui", custom_fields={**STORED, "is_deaf": True})

        page = browser.get(page_of(who)).content.decode()
        unchanged = browser.post(page_of(who), {"full_name": "Rui", **OWN, "own_is_deaf": "on"})

        assert "Who sent them." in page
        assert 'value="2026-02-01"' in page
        assert 'value="Ana"' in page
        assert unchanged.status_code == 302
        who.refresh_from_db()
        assert who.custom_fields == {**STORED, "is_deaf": True}

    def test_what_is_emptied_is_taken_away_and_the_rest_stays(self, browser: Client) -> None:
        who = customers.create_subscriber(full_name="Rui", custom_fields=STORED)

        browser.post(page_of(who), {"full_name": "Rui", **OWN, "own_flats": "", "own_language": ""})

        who.refresh_from_db()
        assert who.custom_fields == {"referred_by": "Ana", "moved_in": "2026-02-01", "is_deaf": False}

    def test_a_choice_no_longer_offered_stays(self, browser: Client) -> None:
        who = customers.create_subscriber(full_name="Rui", custom_fields=STORED)
        language = CustomField.objects.get(key="language")
        custom_fields.change_custom_field(custom_field_id=language.pk, choices=["en"])

        answer = browser.post(page_of(who), {"full_name": "Rui Ramos", **OWN})

        assert answer.status_code == 302
        who.refresh_from_db()
        assert who.custom_fields["language"] == "pt"

    @pytest.mark.parametrize(
        ("wrong", "said"),
        [
            ({"own_referred_by": ""}, "This field is required."),
            ({"own_flats": "many"}, "Enter a number."),
            ({"own_flats": "1e16"}, "flats: Give a number between -10^15 and 10^15."),
            ({"own_moved_in": "soon"}, "Enter a valid date."),
            ({"own_language": "xx"}, "Select a valid choice. xx is not one of the available choices."),
        ],
    )
    def test_are_refused_at_their_field(self, browser: Client, wrong: dict[str, str], said: str) -> None:
        answer = browser.post(f"{LIST}add/", {"full_name": "Rui", **OWN, **wrong})

        assert answer.context["adminform"].form.errors == {next(iter(wrong)): [said]}
        assert not Subscriber.objects.exists()

    def test_are_read_by_whom_may_only_look(self, browser_as: Callable[[Role], Client]) -> None:
        who = customers.create_subscriber(full_name="Rui", custom_fields=STORED)

        text = text_of(browser_as(Role.SUPPORT).get(page_of(who)).content)

        assert "Referred by Ana" in text
        assert "Is deaf No" in text
        assert "Terms of service accepted" in text


class TestConsents:
    def test_are_recorded_with_the_time_and_withdrawn(self, browser: Client, acting: Tenant) -> None:
        browser.post(f"{LIST}add/", {"full_name": "Rui", "accepts_terms": "on"})
        who = Subscriber.objects.get()

        assert who.terms_accepted_at is not None
        assert timezone.now() - who.terms_accepted_at < timedelta(minutes=1)
        assert who.marketing_consent_at is None
        assert "Given on" in text_of(browser.get(page_of(who)).content)

        browser.post(page_of(who), {"full_name": "Rui R", "accepts_terms": "on", "accepts_marketing": "on"})
        before = who.terms_accepted_at
        who.refresh_from_db()
        assert who.terms_accepted_at == before
        assert who.marketing_consent_at is not None

        browser.post(page_of(who), {"full_name": "Rui R", "accepts_marketing": "on"})
        who.refresh_from_db()
        assert who.terms_accepted_at is None


class TestCustomFieldsPage:
    FORM = {
        "key": "language",
        "label": "Language",
        "kind": "choice",
        "choices": "pt\n\n en \n",
        "position": "1",
    }

    def test_adds_a_list_of_choices_one_per_line(self, browser: Client, acting: Tenant) -> None:
        answer = browser.post(f"{FIELDS}add/", self.FORM)

        made = CustomField.objects.get()
        assert answer.status_code == 302
        assert (made.key, made.choices, made.is_required) == ("language", ["pt", "en"], False)

    @pytest.mark.parametrize(
        ("wrong", "field", "said"),
        [
            ({"choices": ""}, "choices", "Give the choices of the list."),
            ({"kind": "text"}, "choices", "Only a list has choices; leave this empty."),
            ({"key": "taken"}, "key", "Another custom field has this already."),
            ({"key": "Not A Key"}, "key", "Lower-case letters, digits and _, a letter first."),
        ],
    )
    def test_refuses_at_the_field(
        self, browser: Client, acting: Tenant, wrong: dict[str, str], field: str, said: str
    ) -> None:
        custom_fields.create_custom_field(key="taken", label="Taken")

        answer = browser.post(f"{FIELDS}add/", {**self.FORM, **wrong})

        assert answer.context["adminform"].form.errors == {field: [said]}
        assert CustomField.objects.count() == 1

    def test_changes_all_but_the_key(self, browser: Client, acting: Tenant) -> None:
        browser.post(f"{FIELDS}add/", self.FORM)
        made = CustomField.objects.get()

        browser.post(page_of(made), {**self.FORM, "key": "other", "choices": "pt\nes", "label": "Tongue"})

        made.refresh_from_db()
        assert (made.key, made.label, made.choices) == ("language", "Tongue", ["pt", "es"])

    def test_removes_the_values_too(self, browser: Client, acting: Tenant) -> None:
        made = custom_fields.create_custom_field(key="note", label="Note")
        who = customers.create_subscriber(full_name="Rui", custom_fields={"note": "x"})

        page = browser.post(f"{FIELDS}{made.pk}/delete/", {"post": "yes"}, follow=True)

        who.refresh_from_db()
        assert who.custom_fields == {}
        assert "taken from 1 customer" in text_of(page.content)


class TestSettings:
    def test_are_shown_in_words_and_changed(self, browser: Client, acting: Tenant) -> None:
        page = browser.get(SETTINGS).content.decode()
        answer = browser.post(SETTINGS, {"duplicate_rules": ["email", "phone"], "phone_region": "PT"})

        found = SubscriberSettings.objects.get()
        assert "Portugal (PT)" in page
        assert "The same e-mail address, in any case." in page
        assert answer.status_code == 302
        assert (found.duplicate_rules, found.phone_region) == (["email", "phone"], "PT")

    @pytest.mark.parametrize("wrong", [{"phone_region": "ZZ"}, {"duplicate_rules": ["mood"]}])
    def test_refuse_what_is_none(self, browser: Client, acting: Tenant, wrong: dict[str, Any]) -> None:
        answer = browser.post(SETTINGS, {"phone_region": "PT", **wrong})

        assert b"Select a valid choice" in answer.content
        assert not SubscriberSettings.objects.exists()

    def test_are_for_those_who_may_change_them(
        self, browser: Client, browser_as: Callable[[Role], Client], acting: Tenant
    ) -> None:
        support = browser_as(Role.SUPPORT)

        assert support.get(SETTINGS).status_code == 403
        assert support.post(SETTINGS, {"phone_region": "PT"}).status_code == 403
        assert SETTINGS.encode() not in support.get(LIST).content
        assert SETTINGS.encode() in browser.get(LIST).content
        assert not SubscriberSettings.objects.exists()

    def test_of_another_tenant_stay(self, browser: Client, tenant: Tenant, other_tenant: Tenant) -> None:
        browser.post(SETTINGS, {"phone_region": "PT"})

        with tenant_context(other_tenant.pk):
            assert not SubscriberSettings.objects.exists()


class TestActivating:
    @pytest.fixture
    def barred(self, acting: Tenant) -> Subscriber:
        """Suspended until Friday, with a line barred for two reasons."""
        who = SubscriberFactory(status="suspended", suspended_until=timezone.now() + timedelta(days=3))
        line = SubscriptionFactory(subscriber=who, status="suspended")
        for reason in ("non_payment", "abuse"):
            Hold.objects.create(subscription=line, reason=reason, opened_at=timezone.now())
        return who

    def test_lists_the_open_holds_abuse_unticked(self, browser: Client, barred: Subscriber) -> None:
        form = browser.get(action_url(barred, "activate")).context["form"]

        assert form.fields["reasons"].choices == [("non_payment", "Non-payment"), ("abuse", "Abuse")]
        assert form.fields["reasons"].initial == ["non_payment"]

    def test_is_refused_while_a_hold_is_left(self, browser: Client, barred: Subscriber) -> None:
        page = browser.post(action_url(barred, "activate"), {CONFIRMED: "yes", "reasons": ["non_payment"]})

        barred.refresh_from_db()
        assert "Tick this too, or leave the customer suspended: Abuse." in text_of(page.content)
        assert barred.status == "suspended"
        assert Hold.objects.filter(released_at=None).count() == 2

    def test_lifts_those_that_are_ticked(self, browser: Client, barred: Subscriber) -> None:
        browser.post(action_url(barred, "activate"), {CONFIRMED: "yes", "reasons": ["non_payment", "abuse"]})

        barred.refresh_from_db()
        assert (barred.status, barred.suspended_until) == ("active", None)
        assert not Hold.objects.filter(released_at=None).exists()

    def test_the_page_says_until_when(self, browser: Client, barred: Subscriber) -> None:
        assert "Suspended until" in text_of(browser.get(page_of(barred)).content)
