"""The portal in each language: nothing is missing, in any of them."""

import re
from pathlib import Path
from string import Formatter

import pytest
from django.conf import settings
from django.contrib.auth.password_validation import get_default_password_validators
from django.test import Client, RequestFactory

from billing.models import Language
from ispcore.tenants.context import tenant_context
from support.models import PortalAccount, TicketStatus
from support.pages.speaking import REFUSALS, words_for
from support.pages.tickets import STATUSES as TICKET_STATUSES
from support.services import tickets
from support.services.portal.status import STATUSES
from support.services.portal.words import WORDS, words_in
from tests.billing.issued import make_identity, make_issued
from tests.support.customers import api_of, browser_of, make_reachable
from tests.support.desk import make_subject
from tests.support.homes import make_home

CODES = {
    "MinimumLengthValidator": "password_too_short",
    "UserAttributeSimilarityValidator": "password_too_similar",
    "CommonPasswordValidator": "password_too_common",
    "NumericPasswordValidator": "password_entirely_numeric",
}
PAGES = ("", "services", "invoices", "tickets", "tickets/new", "password")


def named_in(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_every_word_is_there_in_every_language_with_the_same_values():
    for word, told in WORDS.items():
        assert len(told) == len(Language), word
        assert all(text.strip() for text in told), word
        assert {frozenset(named_in(text)) for text in told} == {frozenset(named_in(told[0]))}, word


def test_every_word_a_page_names_is_there():
    templates = Path(settings.BASE_DIR, "templates/portal").glob("*.html")
    code = [*Path(settings.BASE_DIR, "support/pages").glob("*.py")]
    named = {word for each in templates for word in re.findall(r"words\.(\w+)", each.read_text())}
    named |= {
        word
        for each in code
        for word in re.findall(r'words(?:\.say\(|\[)"(\w+)"', each.read_text())
    }  # fmt: skip

    assert named - WORDS.keys() == {"direction"}


def test_every_cause_status_and_refusal_has_its_words():
    needed = {said.title for said in STATUSES.values()} | {said.advice for said in STATUSES.values()} - {""}
    needed |= {word for _, word in TICKET_STATUSES.values()} | set(REFUSALS.values())
    needed |= {CODES[type(each).__name__] for each in get_default_password_validators()}

    assert needed - WORDS.keys() == set()
    assert set(TICKET_STATUSES) == set(TicketStatus)


def test_no_page_has_words_of_its_own():
    """What stands between tags is a word of the table, a value, or a sign."""
    for each in Path(settings.BASE_DIR, "templates/portal").glob("*.html"):
        text = re.sub(r"<style>.*?</style>|<title>|</title>", "", each.read_text(), flags=re.S)
        text = re.sub(r"\{%.*?%\}|\{\{.*?\}\}|<[^>]*>", "", text, flags=re.S)
        assert set(re.findall(r"[^\W\d_]{2,}", text)) <= {"PDF"}, each.name


@pytest.mark.parametrize(
    ("asked", "chosen", "browser", "said"),
    [
        ("", "", "", "pt"),
        ("", "", "de-DE,es-MX;q=0.8,en;q=0.5", "es"),
        ("", "ar", "es", "ar"),
        ("en", "ar", "es", "en"),
        ("xx", "", "ja", "pt"),
        ("", "", "x" * 10_000, "pt"),
    ],
)
def test_the_language_is_asked_for_chosen_the_browser_s_or_the_provider_s(asked, chosen, browser, said):
    request = RequestFactory().get("/", {"language": asked}, headers={"Accept-Language": browser})

    assert words_for(request, chosen=chosen, usual="pt").language == said


def test_an_arabic_sentence_keeps_what_it_names_together():
    assert words_in("ar").say("pay_amount", amount="100,00 €") == "ادفع \u2068100,00 €\u2069"
    assert words_in("ar").direction == "rtl"


@pytest.mark.django_db
class TestPages:
    @pytest.fixture
    def customer(self, tenant):
        with tenant_context(tenant.pk):
            home = make_home()
            customer = make_reachable(line=home.line)
            make_identity(language="es")
            make_issued(customer, "100.00")
            tickets.open_ticket(
                subject_id=make_subject("Lento").pk,
                subscriber_id=customer.pk,
                subscription_id=home.line.pk,
                description="Hola",
                at=home.at,
            )
            return customer

    @pytest.mark.parametrize("language", Language.values)
    def test_answer_in_the_language_chosen(self, tenant, customer, language):
        client = browser_of(tenant, customer)
        client.post("/portal/north/language", {"language": language})
        words = words_in(language)

        for path in PAGES:
            text = client.get(f"/portal/north/{path}").content.decode()
            assert f'<html lang="{language}" dir="{words.direction}">' in text
            assert words["log_out"] in text
        home = client.get("/portal/north/").content.decode()
        assert words["line_fine"] in home
        assert f"?language={language}" in home  # The way to pay is in it too.

    def test_the_first_log_in_keeps_the_browser_s_language(self, tenant, customer):
        client = Client(headers={"Accept-Language": "ar"})
        assert 'dir="rtl"' in client.get("/portal/north/log-in").content.decode()

        browser_of(tenant, customer, headers={"Accept-Language": "ar"})

        with tenant_context(tenant.pk):
            assert PortalAccount.objects.get().language == "ar"

    def test_the_api_says_how_a_line_is_in_it_too(self, tenant, customer):
        api = api_of(tenant, customer)
        (line,) = api.get("me/services").json()["data"]

        told = api.get(f"me/services/{line['id']}/status").json()["data"]["title"]

        assert told == words_in("es")["line_fine"]

    def test_what_is_not_there_is_said_in_it(self, tenant, customer):
        client = browser_of(tenant, customer, headers={"Accept-Language": "pt"})

        answer = client.get(f"/portal/north/services/{tenant.pk}")

        assert (answer.status_code, words_in("pt")["not_found"] in answer.content.decode()) == (404, True)
