"""Logging in to the portal: by a link that works once, by a password, and not otherwise."""

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from ispcore.jobs import services as jobs
from ispcore.jobs.models import Job
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Membership, User
from ispcore.tenants.roles import Role
from support.models import PortalAccount, PortalLink
from support.services.portal import access
from tests.billing.mail_server import MailServer
from tests.support.customers import browser_of, enter, make_reachable, with_address

pytestmark = pytest.mark.django_db

LOG_IN = "/portal/north/log-in"
SECRET = "a fine long secret"


@pytest.fixture
def mail(settings):
    with MailServer() as server:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", server.port, 5
        yield server


@pytest.fixture
def customer(tenant):
    with tenant_context(tenant.pk):
        return make_reachable()


def send(tenant):
    """Do the worker's part of the newest job."""
    with tenant_context(tenant.pk):
        job = Job.objects.latest("created_at")
    at = timezone.now()
    jobs.perform(tenant_id=str(tenant.pk), job_id=str(job.pk), work=lambda run: access.send_link(run, at=at))
    with tenant_context(tenant.pk):
        return Job.objects.get(pk=job.pk)


def shown(response):
    """What a page says, without what differs each time."""
    return re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", response.content.decode())


class TestLinks:
    def test_one_comes_by_mail_and_logs_in_once(self, tenant, customer, mail):
        client = Client()

        asked = client.post(LOG_IN, {"email": " Jane@Customer.example "})
        send(tenant)
        (letter,) = mail.messages
        (link,) = re.findall(r"http\S+?//[^/]+(/\S+)", letter.get_content())
        looked_at = client.get(link)
        entered = client.post(link)
        again = Client().post(link)

        assert "is on its way" in shown(asked)
        assert letter["To"] == "jane@customer.example"
        assert (looked_at.status_code, "Log in" in shown(looked_at)) == (200, True)
        assert (entered.status_code, entered["Location"]) == (302, "/portal/north/")
        assert client.get("/portal/north/").status_code == 200
        assert (again.status_code, "was used before" in shown(again)) == (410, True)
        with tenant_context(tenant.pk):
            user = PortalAccount.objects.get(subscriber=customer).user
            assert (user.email, user.has_usable_password()) == ("jane@customer.example", False)
            assert Membership.objects.get(user=user).role == Role.CUSTOMER

    def test_an_unknown_address_is_answered_alike_and_gets_nothing(self, tenant, customer, mail):
        known = Client().post(LOG_IN, {"email": "jane@customer.example"})
        unknown = Client().post(LOG_IN, {"email": "nobody@customer.example"})

        assert send(tenant).result == {"sent": False}
        assert known.status_code == unknown.status_code == 200
        assert shown(known).replace("jane@", "nobody@") == shown(unknown)
        assert mail.messages == []
        with tenant_context(tenant.pk):
            assert Job.objects.count() == 2
            assert not PortalLink.objects.exists()

    def test_an_address_two_customers_share_lets_nobody_in(self, tenant, customer, mail):
        with tenant_context(tenant.pk):
            make_reachable()
        Client().post(LOG_IN, {"email": "jane@customer.example"})

        assert send(tenant).result == {"sent": False}
        assert mail.messages == []

    def test_a_mail_server_that_is_away_is_told_to_the_job(self, tenant, customer, mail):
        mail.refuses = "550 no"
        Client().post(LOG_IN, {"email": "jane@customer.example"})

        job = send(tenant)

        assert (job.status, job.error_code) == ("failed", "dependency_unavailable")

    def test_one_is_over_after_a_quarter_of_an_hour(self, acting, customer):
        at = timezone.now()
        link = access.new_link(customer, at=at)
        secret = link.rpartition("/")[2]

        with pytest.raises(access.LinkOver):
            access.enter(secret=secret, at=at + timedelta(minutes=15))

        assert PortalLink.objects.get().used_at is None
        assert not PortalAccount.objects.exists()

    def test_one_is_over_when_the_address_is_no_longer_the_customer_s(self, acting, customer):
        secret = access.new_link(customer, at=timezone.now()).rpartition("/")[2]
        with_address(customer, "new@customer.example")

        with pytest.raises(access.LinkOver):
            access.enter(secret=secret, at=timezone.now())

        assert not PortalAccount.objects.exists()

    def test_a_newer_one_ends_the_older(self, acting, customer):
        older = access.new_link(customer, at=timezone.now()).rpartition("/")[2]
        access.new_link(customer, at=timezone.now())

        with pytest.raises(access.LinkOver):
            access.enter(secret=older, at=timezone.now())

    def test_another_provider_s_are_not_found(self, tenant, other_tenant, customer):
        with tenant_context(tenant.pk):
            secret = access.new_link(customer, at=timezone.now()).rpartition("/")[2]

        assert Client().post(f"/portal/south/enter/{secret}").status_code == 410
        with tenant_context(tenant.pk):
            assert PortalLink.objects.get().used_at is None

    def test_too_many_are_refused(self, tenant, customer):
        answers = [Client().post(LOG_IN, {"email": "jane@customer.example"}) for _ in range(4)]

        assert [each.status_code for each in answers] == [200, 200, 200, 429]

    def test_a_new_address_takes_the_account_with_it(self, acting, customer):
        first = enter(customer)
        with_address(customer, "new@customer.example")

        second = enter(customer)

        assert PortalAccount.objects.get().user.email == "new@customer.example"
        assert not Membership.objects.filter(user=first.user).exists()
        assert access.find_account(account_id=first.pk, stamp=first.session_stamp) is None
        assert access.find_account(account_id=second.pk, stamp=second.session_stamp) == second


class TestPasswords:
    def test_one_is_chosen_and_logs_in(self, tenant, customer):
        client, other = browser_of(tenant, customer), Client()

        chosen = client.post("/portal/north/password", {"password": SECRET})
        wrong = other.post(LOG_IN, {"email": "jane@customer.example", "password": "wrong"})
        right = other.post(LOG_IN, {"email": "Jane@customer.example", "password": SECRET})

        assert "Your password is set" in shown(chosen)
        assert client.get("/portal/north/").status_code == 200
        assert (wrong.status_code, "is wrong" in shown(wrong)) == (422, True)
        assert (right.status_code, right["Location"]) == (302, "/portal/north/")
        assert other.get("/portal/north/").status_code == 200

    def test_a_weak_one_is_refused(self, tenant, customer):
        answer = browser_of(tenant, customer).post("/portal/north/password", {"password": "12345"})

        assert (answer.status_code, "too short" in shown(answer)) == (422, True)
        assert not User.objects.get(email="jane@customer.example").has_usable_password()

    def test_staff_do_not_choose_theirs_here(self, tenant, other_tenant, make_user):
        staff = make_user("admin", {other_tenant: Role.ADMINISTRATOR})
        with tenant_context(tenant.pk):
            customer = make_reachable(staff.email)
        before = staff.password

        answer = browser_of(tenant, customer).post("/portal/north/password", {"password": SECRET})

        assert (answer.status_code, "on the staff site" in shown(answer)) == (409, True)
        assert User.objects.get(pk=staff.pk).password == before

    def test_staff_who_are_nobody_s_customer_are_refused(self, tenant, admin_user):
        from tests.conftest import PASSWORD

        answer = Client().post(LOG_IN, {"email": admin_user.email, "password": PASSWORD})

        assert (answer.status_code, "is wrong" in shown(answer)) == (422, True)


class TestLogIns:
    def test_need_a_cookie_that_no_script_reads_and_only_these_pages_get(self, tenant, customer):
        cookie = browser_of(tenant, customer).cookies["portal"]

        assert (cookie["path"], cookie["httponly"], cookie["samesite"]) == ("/portal/north/", True, "Lax")

    def test_end_on_all_devices(self, tenant, customer):
        one, other = browser_of(tenant, customer), browser_of(tenant, customer)

        one.post("/portal/north/log-out")

        assert other.get("/portal/north/")["Location"] == LOG_IN

    @pytest.mark.parametrize("path", ["", "invoices", "tickets", "tickets/new", "services", "password"])
    def test_are_asked_for_on_every_page(self, tenant, path):
        answer = Client().get(f"/portal/north/{path}")

        assert (answer.status_code, answer["Location"]) == (302, LOG_IN)

    def test_open_neither_another_provider_s_pages_nor_the_staff_site(self, tenant, other_tenant, customer):
        client = browser_of(tenant, customer)
        value = client.cookies["portal"].value

        elsewhere = Client().get("/portal/south/", headers={"Cookie": f"portal={value}"})
        staff = Client().get("/admin/", headers={"Cookie": f"portal={value}"})

        assert elsewhere["Location"] == "/portal/south/log-in"
        assert staff.status_code == 302

    def test_a_form_of_another_site_is_refused(self, tenant, customer):
        client = browser_of(tenant, customer)
        strict = Client(enforce_csrf_checks=True)
        strict.cookies = client.cookies

        assert strict.post("/portal/north/password", {"password": SECRET}).status_code == 403
        assert not User.objects.get(email="jane@customer.example").has_usable_password()

    def test_a_page_s_own_forms_work_after_the_password_is_set(self, tenant, customer):
        strict = Client(enforce_csrf_checks=True)
        strict.cookies = browser_of(tenant, customer).cookies

        def token(page):
            return re.findall(r'csrfmiddlewaretoken" value="(\w+)"', page.content.decode())[0]

        first = {"csrfmiddlewaretoken": token(strict.get("/portal/north/password"))}
        chosen = strict.post("/portal/north/password", {"password": SECRET, **first})
        left = strict.post("/portal/north/log-out", {"csrfmiddlewaretoken": token(chosen)})

        assert "Your password is set" in shown(chosen)
        assert (left.status_code, left["Location"]) == (302, LOG_IN)

    def test_a_provider_that_is_not_there_has_no_pages(self, tenant):
        assert Client().get("/portal/nowhere/log-in").status_code == 404
