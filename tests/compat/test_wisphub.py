"""WispHub's page, request by request: health, token, clients, plans."""

import hashlib
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from ispcore.auth.api import ACCOUNT_LIMIT, ADDRESS_LIMIT
from ispcore.tenants.context import tenant_context
from ispcore.tenants.roles import Role
from subscribers.models import ServiceStatus
from subscribers.services.periods import local_date
from tests.auth.limits import use_up
from tests.compat.client import Foreign
from tests.compat.homes import equip, make_client
from tests.compat.seeds import OPERATIONS
from tests.compat.wisphub import FIELDS, NOBODY, SHAPE, kept, listed, outcome
from tests.conftest import PASSWORD
from tests.factories import PlanFactory, SubscriptionFactory, ZoneFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def wisphub(admin_user):
    return Foreign("wisphub", admin_user)


@pytest.fixture
def juan(acting):
    return make_client()


class TestSystem:
    def test_health_needs_no_token(self, db):
        response = Foreign("wisphub").get("health")

        assert kept(response) == {
            "ok": True,
            "type": "success",
            "action": "health_ok",
            "data": {"status": "ok", "service": "WispHub Local API"},
            "message": None,
            "meta": None,
        }

    def test_the_dialect_s_own_documents_are_open(self, db):
        caller = Foreign("wisphub")

        told = caller.get("openapi.json")
        pages = [caller.get("docs"), caller.get("redoc")]

        assert [page.status_code for page in pages] == [200, 200]
        assert all("/compat/wisphub/openapi.json" in page.content.decode() for page in pages)
        assert "Content-Security-Policy" in pages[0]
        info = told.json()["info"]
        assert (info["title"], info["description"], info["version"]) == (
            "WispHub API", "API de integración local con WispHub", "1.0.0",
        )  # fmt: skip
        assert told.json()["servers"] == [{"url": "http://testserver/compat/wisphub"}]

    def test_the_document_names_every_operation_of_the_page(self, db):
        told = Foreign("wisphub").get("openapi.json").json()

        named = {(verb.upper(), path.strip("/")) for path, verbs in told["paths"].items() for verb in verbs}
        pages = {("GET", "docs"), ("GET", "redoc")}
        assert named == {*OPERATIONS["wisphub"]} - pages
        assert [tag["name"] for tag in told["tags"]] == [
            "system",
            "Clients",
            "tickets",
            "network",
            "internet-plans",
        ]

    def test_a_token_is_had_by_the_password_form_and_opens_the_rest(self, admin_user, juan):
        form = f"username={admin_user.email}&password={PASSWORD}"

        response = Client().post(
            "/compat/wisphub/api/v1/auth/token", form, content_type="application/x-www-form-urlencoded"
        )
        token = response.json()

        assert response.status_code == 200
        assert set(token) == {"access_token", "token_type"}
        assert token["token_type"] == "bearer"
        opened = Foreign("wisphub", token=token["access_token"])
        assert outcome(opened.get("api/v1/clients/by-service-id/12345")) == (True, "success", "client_found")

    def test_a_wrong_password_is_401_in_the_same_shape(self, admin_user):
        form = f"username={admin_user.email}&password=wrong"

        response = Client().post(
            "/compat/wisphub/api/v1/auth/token", form, content_type="application/x-www-form-urlencoded"
        )

        assert outcome(response, 401) == (False, "error", "error")
        assert response["WWW-Authenticate"].startswith("Bearer")

    @pytest.mark.parametrize("form", ["", "username=x", "password=x", "username=&password=x"])
    def test_a_form_that_is_not_whole_is_422(self, db, form):
        kind = "application/x-www-form-urlencoded"

        response = Client().post("/compat/wisphub/api/v1/auth/token", form, content_type=kind)

        assert outcome(response, 422) == (False, "error", "error")

    @pytest.mark.parametrize("limit", ["account", "address"])
    def test_guessing_stops_as_at_the_native_address_and_counts_with_it(self, db, limit):
        def guess(number: int, url: str) -> int:
            account, place = ("juan", number) if limit == "account" else (f"juan{number}", 1)
            form, kind = f"username={account}@example.net&password=wrong", "application/x-www-form-urlencoded"
            return Client().post(url, form, content_type=kind, REMOTE_ADDR=f"10.0.0.{place}").status_code

        tries = 10 if limit == "account" else 30
        native = [guess(number, "/api/v1/auth/token") for number in range(5)]
        theirs = [guess(number, "/compat/wisphub/api/v1/auth/token") for number in range(5, tries)]
        digest = hashlib.sha256(b"juan@example.net").hexdigest()
        if limit == "account":
            use_up(ACCOUNT_LIMIT, f"token:account:{digest}")
        else:
            use_up(ADDRESS_LIMIT, "token:ip:10.0.0.1")

        assert native + theirs == [401] * tries
        assert guess(tries, "/compat/wisphub/api/v1/auth/token") == 429
        assert guess(tries, "/api/v1/auth/token") == 429

    def test_while_guesses_cannot_be_counted_nobody_logs_in(self, admin_user, settings):
        settings.REDIS_URL = "redis://127.0.0.1:1/0"

        response = Client(raise_request_exception=False).post(
            "/compat/wisphub/api/v1/auth/token",
            f"username={admin_user.email}&password={PASSWORD}",
            content_type="application/x-www-form-urlencoded",
        )

        assert outcome(response, 503) == (False, "error", "error")

    @pytest.mark.parametrize(
        ("verb", "path"),
        [
            ("get", "clients/"),
            ("get", "clients/search?q=x"),
            ("get", "clients/by-document/1"),
            ("get", "clients/by-phone/1"),
            ("get", "clients/by-service-id/1"),
            ("post", "clients/resolve"),
            ("post", "clients/1/verify"),
            ("put", "clients/1"),
            ("get", "tickets/subjects"),
            ("post", "tickets"),
            ("get", "tickets/1"),
            ("get", "tickets/zone-blocked/1"),
            ("post", "1/ping/"),
            ("get", "ping/1/"),
            ("get", "internet-plans/"),
            ("get", "internet-plans/1"),
        ],
    )
    def test_all_else_needs_one(self, verb, path, db):
        response = getattr(Foreign("wisphub"), verb)(f"api/v1/{path}")

        assert outcome(response, 401) == (False, "error", "error")
        assert response["WWW-Authenticate"].startswith("Bearer")

    @pytest.mark.parametrize(
        ("verb", "path", "role"),
        [
            ("put", "clients/12345", Role.SUPPORT),
            ("post", "12345/ping/", Role.SUPPORT),
            ("get", "clients/", Role.CUSTOMER),
            ("get", "internet-plans/", Role.CUSTOMER),
            ("get", "tickets/subjects", Role.CUSTOMER),
        ],
    )
    def test_a_role_may_do_no_more_than_natively(self, verb, path, role, tenant, make_user, juan):
        caller = Foreign("wisphub", make_user("limited", {tenant: role}))

        assert outcome(getattr(caller, verb)(f"api/v1/{path}"), 403) == (False, "error", "error")

    def test_an_address_there_is_not_and_a_verb_there_is_not(self, wisphub):
        assert outcome(wisphub.get("api/v1/nothing"), 404) == (False, "error", "error")
        assert outcome(wisphub.delete("api/v1/tickets"), 405) == (False, "error", "error")

    def test_another_s_client_is_nobody(self, wisphub, other_tenant):
        with tenant_context(other_tenant.pk):
            make_client()

        assert NOBODY.items() <= kept(wisphub.get("api/v1/clients/by-service-id/12345")).items()
        assert listed(wisphub.get("api/v1/clients/"))["data"] == []

    def test_browsers_of_the_named_origins_may_call(self, wisphub, settings, juan):
        settings.CORS_ALLOWED_ORIGINS = ["http://localhost:8081"]

        response = wisphub.get("api/v1/clients/by-service-id/12345", Origin="http://localhost:8081")

        assert response["Access-Control-Allow-Origin"] == "http://localhost:8081"


class TestClients:
    def test_a_client_has_all_fields_of_the_page(self, wisphub, juan):
        due_on = local_date(timezone.now()) + timedelta(days=5)
        equip(juan, due_on=due_on)

        body = kept(wisphub.get("api/v1/clients/by-service-id/12345"))

        assert (body["ok"], body["type"], body["action"], body["message"]) == (
            True,
            "success",
            "client_found",
            None,
        )
        assert set(body["data"]) == FIELDS
        zone_id = body["data"].pop("zone_id")
        assert isinstance(zone_id, int)
        assert body["data"] == {
            "service_id": 12345,
            "name": "Juan Pérez",
            "document": "1.234.567-890",
            "phone": "+573001234567",
            "address": "Calle 123 #45-67",
            "city": "Bogotá",
            "locality": "Centro",
            "payment_status": "active",
            "antenna_ip": "203.0.113.10",
            "cut_off_date": str(due_on + timedelta(days=5)),
            "outstanding_balance": 25000.0,
            "lan_interface": "0/1/0/7",
            "internet_plan_name": "Plan 50MB",
            "internet_plan_price": 50000.0,
            "technician_id": None,
        }

    def test_who_may_see_no_money_sees_none_here(self, tenant, make_user, juan):
        equip(juan, due_on=local_date(timezone.now()))
        money = ("payment_status", "cut_off_date", "outstanding_balance")
        support = Foreign("wisphub", make_user("support", {tenant: Role.SUPPORT}))
        accounts = Foreign("wisphub", make_user("accounts", {tenant: Role.SUBSCRIBER_ACCOUNTS}))

        for_support, for_accounts = (
            kept(caller.get("api/v1/clients/by-service-id/12345"))["data"] for caller in (support, accounts)
        )

        assert [for_support[name] for name in money] == [None, None, None]
        assert (for_support["antenna_ip"], for_support["lan_interface"]) == ("203.0.113.10", "0/1/0/7")
        assert for_accounts["outstanding_balance"] == 25000.0
        assert (for_accounts["antenna_ip"], for_accounts["lan_interface"]) == (None, None)

    def test_debt_and_suspension_are_told(self, wisphub, juan):
        equip(juan, due_on=local_date(timezone.now()) - timedelta(days=1))
        overdue = kept(wisphub.get("api/v1/clients/by-service-id/12345"))["data"]["payment_status"]
        juan.status = ServiceStatus.SUSPENDED
        juan.save()

        suspended = kept(wisphub.get("api/v1/clients/by-service-id/12345"))["data"]["payment_status"]

        assert (overdue, suspended) == ("overdue", "suspended")

    @pytest.mark.parametrize("path", ["api/v1/clients/", "api/v1/clients"])
    def test_all_active_clients_are_listed(self, path, wisphub, juan):
        second = SubscriptionFactory(number=12346, status=ServiceStatus.ACTIVE)
        SubscriptionFactory(number=12347, status=ServiceStatus.TERMINATED)

        body = listed(wisphub.get(path))

        assert set(body) == SHAPE
        assert (body["ok"], body["type"], body["action"]) == (True, "success", "clients_listed")
        assert [each["service_id"] for each in body["data"]] == [12345, second.number]
        assert set(body["data"][0]) == FIELDS

    def test_nobody_is_an_empty_list(self, wisphub):
        assert listed(wisphub.get("api/v1/clients/"))["data"] == []

    def test_a_list_of_many_reads_a_part_at_a_time(self, wisphub, acting, monkeypatch, query_count):
        monkeypatch.setattr("compat.wisphub.clients.PART", 2)
        for _ in range(5):
            SubscriptionFactory(status=ServiceStatus.ACTIVE)

        found = listed(wisphub.get("api/v1/clients/"))["data"]

        assert len({each["service_id"] for each in found}) == 5

    def test_six_clients_cost_no_more_queries_than_one(self, wisphub, juan, query_count):
        def read():
            return listed(wisphub.get("api/v1/clients/"))

        read()
        one = query_count(read)
        for _ in range(5):
            SubscriptionFactory(status=ServiceStatus.ACTIVE)

        assert query_count(read) == one

    @pytest.mark.parametrize("query", ["Juan", "juan perez", "PÉREZ", "573001234567"])
    def test_search(self, query, wisphub, juan):
        body = kept(wisphub.get("api/v1/clients/search", {"q": query}))

        assert (body["type"], body["action"]) == ("success", "clients_listed")
        assert [each["service_id"] for each in body["data"]] == [12345]
        assert set(body["data"][0]) == FIELDS

    def test_search_without_a_result(self, wisphub, juan):
        body = kept(wisphub.get("api/v1/clients/search", {"q": "Nadie"}))

        assert (body["ok"], body["type"], body["action"], body["data"]) == (
            True,
            "success",
            "client_not_found",
            [],
        )

    def test_search_needs_q(self, wisphub):
        body = kept(wisphub.get("api/v1/clients/search"), 400)

        assert (body["ok"], body["type"], body["action"]) == (False, "error", "error")
        assert body["message"] == "Search query parameter 'q' is required"

    @pytest.mark.parametrize("document", ["1234567890", "1.234.567-890"])
    def test_by_document(self, document, wisphub, juan):
        body = kept(wisphub.get(f"api/v1/clients/by-document/{document}"))

        assert (body["action"], body["data"]["service_id"]) == ("client_found", 12345)

    def test_by_a_document_that_is_none(self, wisphub, juan):
        assert outcome(wisphub.get("api/v1/clients/by-document/--"), 400) == (
            False,
            "error",
            "invalid_document",
        )

    @pytest.mark.parametrize("phone", ["%2B573001234567", "3001234567", "300-123-4567"])
    def test_by_phone(self, phone, wisphub, juan):
        body = kept(wisphub.get(f"api/v1/clients/by-phone/{phone}"))

        assert (body["action"], body["data"]["service_id"]) == ("client_found", 12345)

    @pytest.mark.parametrize(
        "path", ["by-document/555", "by-phone/3009999999", "by-phone/x", "by-service-id/99"]
    )
    def test_a_missing_client_is_information(self, path, wisphub, juan):
        body = kept(wisphub.get(f"api/v1/clients/{path}"))

        assert NOBODY.items() <= body.items()

    def test_a_service_id_is_a_number(self, wisphub):
        assert outcome(wisphub.get("api/v1/clients/by-service-id/abc"), 422) == (False, "error", "error")

    def test_of_several_services_the_running_one_is_shown(self, wisphub, juan):
        SubscriptionFactory(subscriber=juan.subscriber, number=12400, status=ServiceStatus.TERMINATED)

        found = kept(wisphub.get("api/v1/clients/by-document/1234567890"))["data"]

        assert found["service_id"] == 12345


@pytest.mark.django_db(transaction=True)
def test_a_list_is_read_after_its_request_and_no_further_than_it_is_read(tenant, admin_user, monkeypatch):
    monkeypatch.setattr("compat.wisphub.clients.PART", 1)
    with tenant_context(tenant.pk):
        make_client()
        SubscriptionFactory(number=12346, status=ServiceStatus.ACTIVE)
    caller = Foreign("wisphub", admin_user)

    whole = listed(caller.get("api/v1/clients/"))
    begun = caller.get("api/v1/clients/")
    first = [next(begun.streaming_content) for _ in range(2)]
    assert not connection.in_atomic_block
    begun.close()

    assert [each["service_id"] for each in whole["data"]] == [12345, 12346]
    assert b"12345" in b"".join(first)
    assert b"12346" not in b"".join(first)


class TestPlans:
    @pytest.mark.parametrize("path", ["api/v1/internet-plans/", "api/v1/internet-plans"])
    def test_all_are_listed(self, path, wisphub, acting):
        PlanFactory(name="Plan B")
        PlanFactory(name="Plan A")

        body = kept(wisphub.get(path))

        assert (body["ok"], body["type"], body["action"]) == (True, "success", "internet_plans_listed")
        assert [(each["name"], each["type"]) for each in body["data"]] == [
            ("Plan A", "PPPOE"),
            ("Plan B", "PPPOE"),
        ]
        assert all(isinstance(each["plan_id"], int) for each in body["data"])
        assert len({each["plan_id"] for each in body["data"]}) == 2

    def test_none(self, wisphub):
        body = kept(wisphub.get("api/v1/internet-plans/"))

        assert (body["ok"], body["type"], body["action"], body["data"]) == (
            True,
            "info",
            "internet_plan_not_found",
            None,
        )

    def test_one_by_the_number_of_the_list(self, wisphub, juan):
        [plan] = kept(wisphub.get("api/v1/internet-plans/"))["data"]

        body = kept(wisphub.get(f"api/v1/internet-plans/{plan['plan_id']}"))

        assert (body["type"], body["action"]) == ("success", "internet_plan_found")
        assert body["data"] == {
            "name": "Plan 50MB",
            "price": 50000.0,
            "download_speed": "50M",
            "upload_speed": "512K",
        }

    def test_one_there_is_not(self, wisphub, juan):
        assert outcome(wisphub.get("api/v1/internet-plans/1")) == (True, "info", "internet_plan_not_found")
        assert outcome(wisphub.get("api/v1/internet-plans/x"), 422) == (False, "error", "error")


def test_a_zone_of_the_list_is_one_to_ask_about(wisphub, juan):
    ZoneFactory(name="Norte")
    zone_id = kept(wisphub.get("api/v1/clients/by-service-id/12345"))["data"]["zone_id"]

    assert kept(wisphub.get(f"api/v1/tickets/zone-blocked/{zone_id}"))["data"] == {
        "is_blocked": False,
        "max_tickets": 3,
    }
