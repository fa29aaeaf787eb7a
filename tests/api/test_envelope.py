"""The one shape of every answer, and every way a request can be wrong."""

import json
from uuid import UUID

import pytest
from django.db import transaction

from hardware.models import Olt
from ispcore import redis
from ispcore.tenants.context import tenant_context
from tests.api.routes import operations
from tests.client import Api
from tests.factories import OltFactory

pytestmark = pytest.mark.django_db

OLT = {"name": "Central", "vendor": "huawei", "ip": "192.0.2.1", "community": "c"}
NOBODY = UUID("0197b6a0-0000-7000-8000-00000000dead")  # The same in each process that collects the tests.


def error_of(response):
    return response.status_code, response.json()["error"]["code"]


def shape_of(response):
    """The status, and what the body is: the keys of JSON, or the type of a file."""
    kind = response["Content-Type"]
    return response.status_code, list(response.json()) if kind == "application/json" else kind


def count(tenant) -> int:
    with tenant_context(tenant.pk):
        return Olt.objects.count()


@pytest.mark.parametrize(("verb", "path"), operations())
def test_answers_the_same_with_and_without_a_slash(verb, path, api):
    path = path.replace("{pk}", str(NOBODY))
    body = b"{}" if verb in ("post", "put", "patch") else b""

    with transaction.atomic():
        bare = shape_of(api.send(verb, path, body, "application/json", prefer="respond-async"))
        transaction.set_rollback(True)  # What may be there only once.
    redis.client().flushdb()  # Some routes may be called once in a while only.
    slashed = shape_of(api.send(verb, f"{path}/", body, "application/json", prefer="respond-async"))

    assert bare == slashed
    assert bare[0] not in (301, 302, 307, 308)


def test_success_is_data_and_meta(api):
    response = api.get("me")

    body = response.json()
    assert list(body) == ["success", "data", "meta"]
    assert body["success"] is True
    assert body["meta"] == {"request_id": response["X-Request-ID"], "api_version": "v1"}
    assert response["Content-Type"] == "application/json"


def test_an_error_is_error_and_meta(api):
    response = api.get("tasks/1")

    assert response.json() == {
        "success": False,
        "error": {"code": "not_found", "message": "There is no such record."},
        "meta": {"request_id": response["X-Request-ID"], "api_version": "v1"},
    }


def test_a_list_has_pagination_in_meta(api, acting):
    OltFactory()

    body = api.get("hardware/olts").json()

    assert len(body["data"]) == 1
    assert body["meta"]["pagination"] == {
        "page": 1, "page_size": 50, "count": 1, "total": 1, "total_is_estimate": False, "pages": 1, "next": None,
        "previous": None,
    }  # fmt: skip


@pytest.mark.parametrize("offered", ["abc", "A.b_c-9", "x" * 64])
def test_keeps_the_callers_request_id(offered, api):
    response = api.get("me", X_Request_ID=offered)

    assert response["X-Request-ID"] == offered
    assert response.json()["meta"]["request_id"] == offered


@pytest.mark.parametrize("offered", ["", "x" * 65, "a b", "a\r\nSet-Cookie: x=1", "ä", '"', "a\n"])
def test_replaces_a_request_id_that_could_forge_a_log_line(offered, api):
    response = api.get("me", X_Request_ID=offered)

    assert response["X-Request-ID"].startswith("req_")
    assert len(response["X-Request-ID"]) == 36


def test_every_answer_has_its_own_request_id(api):
    assert api.get("me")["X-Request-ID"] != api.get("me")["X-Request-ID"]


@pytest.mark.parametrize(
    "path", ["nothing", "hardware", "hardware/olts/1/nothing", "%00", "me/%FF", "me;x", "//me"]
)
def test_an_unknown_path_is_404_in_the_envelope(path, api):
    assert error_of(api.get(path)) == (404, "not_found")
    assert error_of(api.post(path, {})) == (404, "not_found")


@pytest.mark.parametrize(
    "reference",
    ["%00", "%FF%FE", "1", "'", "{pk}", "0" * 5000, "%ED%A0%80", "..", "%2e%2e%2fme", "-1", "null"],
)
def test_an_id_that_is_none_is_404(reference, api):
    assert error_of(api.get(f"tasks/{reference}")) == (404, "not_found")
    assert error_of(api.patch(f"hardware/olts/{reference}", {})) == (404, "not_found")


class TestCredential:
    def test_none_is_401(self, anonymous):
        response = anonymous.get("me")

        assert error_of(response) == (401, "not_authenticated")
        assert response["WWW-Authenticate"] == "Bearer"

    @pytest.mark.parametrize("token", ["x", "ispk_00_00", "a.b.c", "ä", "ispk_\x00_1"])
    def test_a_wrong_one_is_401(self, token, db):
        response = Api(token=token).get("hardware/olts")

        assert error_of(response) == (401, "invalid_token")
        assert response["WWW-Authenticate"] == 'Bearer error="invalid_token"'

    @pytest.mark.parametrize("scheme", ["Basic YTpi", "Bearer", "Bearer ", "Token x"])
    def test_another_scheme_is_401(self, scheme, db):
        response = Api().get("me", Authorization=scheme)

        assert error_of(response) == (401, "not_authenticated")

    def test_comes_before_what_is_asked(self, anonymous):
        assert error_of(anonymous.get(f"tasks/{NOBODY}?nonsense=1")) == (401, "not_authenticated")


class TestProtocol:
    @pytest.mark.parametrize(
        ("verb", "path", "allowed"),
        [
            ("delete", "me", "GET"),
            ("post", "me", "GET"),
            ("put", "hardware/olts", "GET, POST"),
            ("get", "hardware/olt/discover", "POST"),
            ("delete", "tasks/{pk}", "GET"),
            ("options", "hardware/olts", "GET, POST"),
            ("trace", "me", "GET"),
            ("brew", "me", "GET"),
            ("put", "hardware/olts?name=x", "GET, POST"),
        ],
    )
    def test_405_names_what_is_allowed(self, verb, path, allowed, api):
        response = api.send(verb, path.replace("{pk}", str(NOBODY)), b"", "application/json")

        assert error_of(response) == (405, "method_not_allowed")
        assert set(response["Allow"].split(", ")) - {"HEAD", "OPTIONS"} == set(allowed.split(", "))

    @pytest.mark.parametrize("accept", ["text/html", "application/xml", "application/vnd.api+json"])
    def test_406_for_what_we_do_not_speak(self, accept, api):
        assert error_of(api.get("me", Accept=accept)) == (406, "not_acceptable")

    @pytest.mark.parametrize(
        "accept", ["*/*", "application/json", "application/*;q=0.1", "text/html, */*;q=0.1"]
    )
    def test_speaks_json_to_whom_it_is_acceptable(self, accept, api):
        assert api.get("me", Accept=accept)["Content-Type"] == "application/json"

    @pytest.mark.parametrize(
        "content_type", ["text/plain", "application/xml", "application/x-www-form-urlencoded", "nonsense"]
    )
    def test_415_for_what_we_do_not_read(self, content_type, api, tenant):
        response = api.send("post", "hardware/olts", json.dumps(OLT).encode(), content_type)

        assert error_of(response) == (415, "unsupported_media_type")
        assert count(tenant) == 0

    def test_413_for_a_body_that_is_too_large(self, api, tenant):
        body = json.dumps(OLT | {"notes": "x" * 3_000_000}).encode()

        for headers in ({}, {"X_Idempotency_Key": "k"}):
            response = api.send("post", "hardware/olts", body, "application/json", **headers)
            assert error_of(response) == (413, "request_too_large")
        assert count(tenant) == 0

    @pytest.mark.parametrize("charset", ["utf-7", "utf-16", "latin-1", "nonsense"])
    def test_reads_utf8_whatever_the_charset_claims(self, charset, api):
        content_type = f"application/json; charset={charset}"

        response = api.send("post", "hardware/olts?nothing=%41", json.dumps(OLT).encode(), content_type)
        assert error_of(response) == (400, "unknown_parameter")

        response = api.send("post", "hardware/olts", json.dumps(OLT).encode(), content_type)
        assert response.status_code == 201


MALFORMED = {
    "cut off": b'{"name": "x"',
    "single quotes": b"{'name': 1}",
    "trailing comma": b'{"name": "x",}',
    "NaN": b'{"snmp_port": NaN}',
    "Infinity": b'{"snmp_port": -Infinity}',
    "invalid UTF-8": b'{"name": "\xff\xfe"}',
    "overlong UTF-8": b'{"name": "\xc0\xaf"}',
    "UTF-16": '{"name": "x"}'.encode("utf-16"),
    "byte order mark": b'\xef\xbb\xbf{"name": "x"}',
    "lone surrogate": rb'{"name": "\ud800"}',
    "lone surrogate in a name": rb'{"\udc00": 1}',
    "raw control character": b'{"name": "a\x00b"}',
    "name given twice": b'{"name": "a", "name": "b"}',
    "deep lists": b"[" * 100_000 + b"]" * 100_000,
    "deep objects": b'{"a":' * 20_000 + b"1" + b"}" * 20_000,
    "long integer": b'{"snmp_port": ' + b"9" * 10_000 + b"}",
    "two values": b"{} {}",
    "white space": b"   ",
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED.keys())
def test_what_is_no_json_is_400(body, api, tenant):
    response = api.send("post", "hardware/olts", body, "application/json")

    assert error_of(response) == (400, "malformed_request")
    assert count(tenant) == 0


def test_a_repeated_name_is_named(api):
    response = api.send("post", "hardware/olts", b'{"name": "a", "name": "b"}', "application/json")

    assert response.json()["error"]["message"] == (
        "The body is not JSON: the name 'name' comes twice in one object."
    )


@pytest.mark.parametrize("body", [[], "text", 1, None, True, [OLT]])
def test_a_body_that_is_no_object_is_422(body, api, tenant):
    response = api.send("post", "hardware/olts", json.dumps(body).encode(), "application/json")

    assert error_of(response) == (422, "validation_error")
    assert count(tenant) == 0


class TestFields:
    def test_missing_ones_are_400_and_all_are_named(self, api, tenant):
        response = api.post("hardware/olts", {"name": "Central", "snmp_port": 0})

        error = response.json()["error"]
        assert error_of(response) == (400, "missing_field")
        assert error["field"] == "vendor"
        assert {(each["field"], each["code"]) for each in error["fields"]} == {
            ("vendor", "required"), ("ip", "required"), ("community", "required"), ("snmp_port", "min_value"),
        }  # fmt: skip
        assert count(tenant) == 0

    def test_an_empty_body_misses_all_of_them(self, api):
        assert error_of(api.post("hardware/olts")) == (400, "missing_field")

    def test_wrong_ones_are_422_and_all_are_named(self, api, tenant):
        body = OLT | {"vendor": "nobody", "ip": "1.2.3", "snmp_port": 70000, "nmae": "x", "community": ""}

        response = api.post("hardware/olts", body)

        error = response.json()["error"]
        assert error_of(response) == (422, "validation_error")
        assert {(each["field"], each["code"]) for each in error["fields"]} == {
            ("vendor", "invalid_choice"), ("ip", "invalid"), ("snmp_port", "max_value"), ("nmae", "unknown_field"),
            ("community", "blank"),
        }  # fmt: skip
        assert count(tenant) == 0

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("snmp_port", "161"), ("snmp_port", True), ("snmp_port", 1.5), ("snmp_port", 10**30), ("snmp_port", []),
            ("snmp_port", -1), ("name", 1), ("name", None), ("name", {}), ("name", "a\x00b"), ("name", "  "),
            ("name", "x" * 81), ("ip", 1), ("ip", "192.0.2.1/24"), ("ip", "::ffff:1.2.3.4.5"), ("vendor", 1),
            ("vendor", ["huawei"]), ("vendor", {}), ("snmp_version", 1), ("community", 5), ("community", "a\x00"),
        ],
    )  # fmt: skip
    def test_what_only_looks_right_is_422(self, field, value, api, tenant):
        response = api.post("hardware/olts", OLT | {field: value})

        assert error_of(response) == (422, "validation_error")
        assert response.json()["error"]["field"] == field
        assert count(tenant) == 0

    def test_text_comes_back_as_it_was_sent(self, api):
        name = "Zürich 😀 \u202e العربية 中文"

        created = api.post("hardware/olts", OLT | {"name": name}).json()["data"]

        assert created["name"] == name
        assert api.get(f"hardware/olts/{created['id']}").json()["data"]["name"] == name

    def test_an_ip_address_is_written_in_one_spelling(self, api):
        created = api.post("hardware/olts", OLT | {"ip": "2001:DB8:0:0::1"}).json()["data"]

        assert created["ip"] == "2001:db8::1"

    def test_a_secret_is_taken_and_never_given_back(self, api):
        response = api.post("hardware/olts", OLT | {"community": "s3cret-word"})

        detail = api.get(f"hardware/olts/{response.json()['data']['id']}")
        assert "community" not in response.json()["data"]
        assert b"s3cret-word" not in response.content + detail.content

    def test_a_duplicate_is_409_and_names_the_field(self, api, tenant):
        api.post("hardware/olts", OLT)

        response = api.post("hardware/olts", OLT | {"ip": "192.0.2.2"})

        assert error_of(response) == (409, "duplicate_olt_name")
        assert response.json()["error"]["field"] == "name"
        assert count(tenant) == 1


class TestQuery:
    @pytest.mark.parametrize(
        ("path", "field"),
        [
            ("hardware/olts?nmae=x", "nmae"),
            ("hardware/olts?format=xml", "format"),
            ("hardware/olts?name__contains=x", "name__contains"),
            ("hardware/olts?tenant_id=x", "tenant_id"),
            ("tasks?%00=1", "\x00"),
            ("me?x=1", "x"),
            (f"tasks/{NOBODY}?page=1", "page"),
            ("hardware/discovery-runs?search=x", "search"),
        ],
    )
    def test_an_unknown_parameter_is_400_and_named(self, path, field, api):
        response = api.get(path)

        assert error_of(response) == (400, "unknown_parameter")
        assert response.json()["error"]["field"] == field

    @pytest.mark.parametrize("verb", ["post", "put", "patch", "delete"])
    def test_writes_take_no_unknown_parameter_either(self, verb, api, acting):
        olt = OltFactory()

        path = "hardware/olts" if verb == "post" else f"hardware/olts/{olt.pk}"
        response = api.send(verb, f"{path}?x=1", json.dumps(OLT).encode(), "application/json")

        assert error_of(response) == (400, "unknown_parameter")
        assert Olt.objects.get() == olt

    @pytest.mark.parametrize(
        "query", ["name=%00", "name=a&name=b", "name=", "olt_id=", "search=", "ordering="]
    )
    def test_a_value_that_would_be_ignored_is_400(self, query, api):
        response = api.get(f"hardware/{'onus' if 'olt_id' in query else 'olts'}?{query}")

        assert error_of(response) == (400, "malformed_request")

    def test_invalid_utf8_finds_nothing(self, api, acting):
        OltFactory()

        assert api.get("hardware/olts?name=%FF%FE").json()["data"] == []

    def test_a_very_long_query_is_no_fault_of_ours(self, api):
        assert api.get(f"hardware/olts?name={'x' * 100_000}").json()["data"] == []
        many = "&".join(f"name{n}=x" for n in range(2000))
        assert error_of(api.get(f"hardware/olts?{many}")) == (400, "malformed_request")


class TestTimes:
    def test_are_utc_by_default(self, api):
        created = api.post("hardware/olts", OLT).json()["data"]

        assert created["created_at"].endswith("Z")

    def test_are_rendered_in_the_zone_asked_for(self, api, acting):
        olt = OltFactory()
        Olt.objects.update(created_at="2026-01-31T22:30:00Z")

        shown = api.get(f"hardware/olts/{olt.pk}", X_Timezone="Africa/Johannesburg").json()["data"]

        assert shown["created_at"] == "2026-02-01T00:30:00+02:00"

    @pytest.mark.parametrize(
        "zone",
        [
            "Mars/Olympus",
            "../../etc/passwd",
            "/etc/passwd",
            "a" * 5000,
            "ä",
            "Europe",
            "tzdata.zi",
            "\x00",
            "+02:00",
        ],
    )
    def test_an_unknown_zone_is_400(self, zone, api):
        response = api.get("me", X_Timezone=zone)

        assert error_of(response) == (400, "malformed_request")
        assert response.json()["error"]["field"] == "X-Timezone"
