"""Rows read without their serializer: the same bytes, for every list and every record."""

import orjson
import pytest

from hardware.models import DiscoveryRun, PonPort
from ispcore.api.envelope import UTC, dump
from ispcore.api.rows import reader_of
from subscribers.models import BillingProfile, Premise, Subscriber, Subscription, Zone
from tests.api.records import MAKE
from tests.api.routes import Route, api_routes
from tests.api.test_lists import LISTS
from tests.factories import PremiseFactory, SubscriberFactory, SubscriptionFactory

pytestmark = pytest.mark.django_db

# Where several lists show one model, the first is its own.
VIEWS = {route.view.model: route.view for route in reversed(LISTS)}
DETAILS = {
    route.path.removesuffix("/{pk}"): route
    for route in api_routes()
    if route.path.endswith("/{pk}")
    and "get" in route.verbs
    and hasattr(route.view, "get_serializer_class")
    and not route.path.startswith("me/")  # See LISTS.
}


def as_serialized(route: Route, record, action: str = "list") -> bytes:
    view = route.view()
    view.request = view.format_kwarg = None
    view.action = "retrieve"
    found = view.get_queryset().get(pk=record.pk)  # With what the view adds to a record.
    view.action = action
    return dump(view.get_serializer(found).data, zone=UTC)


def data_of(response):
    """The bytes of `data` as they stand in the answer."""
    return response.content.partition(b'"data":')[2].rpartition(b',"meta":')[0]


@pytest.mark.parametrize("route", LISTS, ids=lambda route: route.path)
def test_a_list_shows_what_the_serializer_shows(route: Route, api, acting):
    record = MAKE[route.view.model]()
    record.refresh_from_db()

    response = api.get(route.path)

    assert data_of(response) == b"[" + as_serialized(route, record) + b"]"


@pytest.mark.parametrize("path", sorted(DETAILS))
def test_a_record_shows_what_the_serializer_shows(path, api, acting):
    route = DETAILS[path]
    record = MAKE[route.view.model]()
    record.refresh_from_db()

    response = api.get(route.at(record.pk))

    if route.view.model in EXPECTED:
        assert data_of(response) == as_serialized(route, record, "retrieve")
    assert orjson.loads(response.content)["data"]["id"] == str(record.pk)
    assert api.get(route.at(record.pk), if_none_match=response["ETag"]).status_code == 304


EXPECTED = {BillingProfile, DiscoveryRun, PonPort, Premise, Subscriber, Subscription, Zone}


def test_are_read_wherever_a_serializer_only_names_columns():
    read = {model for model, view in VIEWS.items() if reader_of(view.serializer_class)}

    assert read >= EXPECTED


def test_show_every_kind_of_value_as_the_serializer_does(api, acting):
    SubscriberFactory(
        full_name="Zoë \u2028 \"quoted\"", email="zoe@example.net", metadata={"n": 1.5, "deep": None, "é": "ü"},
        tags=["vip", "a b"], address_line1="Rua 1", city="Porto", document_type="passport", document_number="x1",
    )  # fmt: skip
    PremiseFactory(latitude="38.700000", longitude="-9.123456")
    SubscriptionFactory(wifi_password="correct horse")
    SubscriptionFactory(wifi_password="")

    for path, model in (("subscribers", Subscriber), ("premises", Premise), ("services", Subscription)):
        route = next(route for route in LISTS if route.path == path)
        shown = [as_serialized(route, record) for record in model.objects.order_by("-id")]
        assert data_of(api.get(path)) == b"[" + b",".join(shown) + b"]"


@pytest.mark.parametrize("zone", ["Africa/Johannesburg", "UTC", "Asia/Kathmandu"])
def test_show_times_in_the_zone_asked_for(zone, api, acting):
    from zoneinfo import ZoneInfo

    record = SubscriberFactory()
    record.refresh_from_db()

    shown = api.get(f"subscribers/{record.pk}", x_timezone=zone).json()["data"]["created_at"]

    expected = record.created_at.astimezone(ZoneInfo(zone)).isoformat()
    assert shown == (expected.replace("+00:00", "Z") if zone == "UTC" else expected)


def test_a_change_makes_another_version(api, acting):
    record = SubscriberFactory()
    before = api.get(f"subscribers/{record.pk}")["ETag"]

    changed = api.patch(f"subscribers/{record.pk}", {"full_name": "Another Name"}, if_match=before)
    stale = api.patch(f"subscribers/{record.pk}", {"full_name": "Third Name"}, if_match=before)

    assert changed.status_code == 200
    assert changed["ETag"] == api.get(f"subscribers/{record.pk}")["ETag"] != before
    assert stale.status_code == 412
