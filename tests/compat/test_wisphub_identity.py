"""WispHub's page, request by request: who somebody is, and their profile."""

import pytest

from subscribers.models import Subscriber
from tests.compat.client import Foreign
from tests.compat.homes import make_client
from tests.compat.wisphub import FIELDS, NOBODY, kept, outcome

pytestmark = pytest.mark.django_db

FACTS = {
    "name": "Juan Pérez",
    "address": "Calle 123 #45-67",
    "internet_plan_name": "Plan 50MB",
    "internet_plan_price": 50000.0,
}


@pytest.fixture
def wisphub(admin_user):
    return Foreign("wisphub", admin_user)


@pytest.fixture
def juan(acting):
    return make_client()


class TestIdentity:
    @pytest.mark.parametrize("left_out", [None, *FACTS])
    def test_resolve_shows_the_client_of_three_or_four_true_facts(self, left_out, wisphub, juan):
        facts = {name: fact for name, fact in FACTS.items() if name != left_out}

        body = kept(wisphub.post("api/v1/clients/resolve", facts))

        assert (body["ok"], body["type"], body["action"]) == (True, "success", "client_verified")
        assert (set(body["data"]), body["data"]["service_id"]) == (FIELDS, 12345)
        assert body["message"] == "Cliente identificado y verificado exitosamente."

    def test_resolve_with_a_wrong_fact_finds_nobody(self, wisphub, juan):
        body = kept(wisphub.post("api/v1/clients/resolve", FACTS | {"internet_plan_price": 50002.0}))

        assert NOBODY.items() <= body.items()

    @pytest.mark.parametrize("path", ["clients/resolve", "clients/12345/verify"])
    def test_two_facts_are_too_few(self, path, wisphub, juan):
        response = wisphub.post(f"api/v1/{path}", {"name": "Juan Pérez", "internet_plan_name": "Plan 50MB"})

        assert outcome(response, 400) == (False, "error", "client_verification_failed")
        assert response.json()["message"].startswith("Se requieren al menos 3 campos")

    def test_verify_names_what_matched(self, wisphub, juan):
        body = kept(wisphub.post("api/v1/clients/12345/verify", FACTS | {"internet_plan_price": 50000.99}))

        assert (body["type"], body["action"]) == ("success", "client_verified")
        assert body["data"] == {
            "is_valid": True,
            "matched_fields": ["name", "address", "internet_plan_name", "internet_plan_price"],
        }

    def test_verify_says_nothing_of_what_did_not(self, wisphub, juan):
        response = wisphub.post("api/v1/clients/12345/verify", FACTS | {"name": "Pedro Gómez"})

        body = kept(response)
        assert (body["ok"], body["type"], body["action"]) == (True, "success", "client_verification_failed")
        assert body["data"] == {"is_valid": False, "matched_fields": []}
        assert "Juan" not in response.content.decode()

    def test_verify_of_nobody(self, wisphub, juan):
        body = kept(wisphub.post("api/v1/clients/99/verify", FACTS))

        assert NOBODY.items() <= body.items()

    def test_guessing_ends(self, wisphub, juan):
        wrong = FACTS | {"internet_plan_price": 1.0}
        for _ in range(5):
            wisphub.post("api/v1/clients/12345/verify", wrong)

        response = wisphub.post("api/v1/clients/12345/verify", FACTS)

        assert outcome(response, 429) == (False, "error", "error")
        assert int(response["Retry-After"]) > 0

    def test_a_price_that_is_none_is_refused_by_name(self, wisphub, juan):
        response = wisphub.post("api/v1/clients/resolve", FACTS | {"internet_plan_price": "dear"})

        assert outcome(response, 422) == (False, "error", "error")
        assert response.json()["message"].startswith("Error de validación: internet_plan_price: ")


class TestProfile:
    def test_document_and_phone_are_changed(self, wisphub, juan):
        body = kept(wisphub.put("api/v1/clients/12345", {"phone": "+573009876543", "document": "987654"}))

        assert (body["ok"], body["type"], body["action"], body["data"]) == (
            True,
            "success",
            "client_updated",
            None,
        )
        assert body["message"] == "Perfil del cliente actualizado exitosamente."
        changed = Subscriber.objects.get(pk=juan.subscriber_id)
        assert (changed.phone_e164, changed.document_normal) == ("+573009876543", "987654")

    def test_what_is_not_given_stays(self, wisphub, juan):
        kept(wisphub.put("api/v1/clients/12345", {"phone": "+573009876543"}))

        assert Subscriber.objects.get(pk=juan.subscriber_id).document_normal == "1234567890"

    def test_nothing_given(self, wisphub, juan):
        response = wisphub.put("api/v1/clients/12345", {})

        assert outcome(response, 400) == (False, "error", "client_update_failed")

    def test_nobody_to_change(self, wisphub, juan):
        response = wisphub.put("api/v1/clients/99", {"phone": "+573009876543"})

        assert outcome(response) == (True, "info", "client_update_failed")

    def test_what_is_no_phone_changes_nothing(self, wisphub, juan):
        response = wisphub.put("api/v1/clients/12345", {"phone": "abc", "document": "1"})

        assert outcome(response, 422) == (False, "error", "client_update_failed")
        assert Subscriber.objects.get(pk=juan.subscriber_id).document_normal == "1234567890"

    def test_a_body_that_is_no_json(self, wisphub, juan):
        response = wisphub.send("put", "api/v1/clients/12345", b"{", "application/json")

        assert outcome(response, 422) == (False, "error", "error")

    def test_a_repeat_under_one_key_is_replayed_in_the_dialect(self, wisphub, juan):
        key = {"Idempotency_Key": "one"}

        first, again = (wisphub.post("api/v1/clients/12345/verify", FACTS, **key) for _ in range(2))

        assert again["Idempotency-Replayed"] == "true"
        assert kept(again) == kept(first)
        reused = wisphub.post("api/v1/clients/12345/verify", {}, **key)
        assert outcome(reused, 422) == (False, "error", "error")
