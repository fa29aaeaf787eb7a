"""What the tests of the Subscriber Accounts API share."""

from typing import Any

from django.utils import timezone

from aaa.models import Policy, ServiceProfile, VirtualServer
from ispcore.auth import access_tokens
from ispcore.tenants.models import User
from tests.compat.client import Foreign

# Of the page's response example, in its order.
FIELDS = [
    "id", "virtual_id", "service_id", "profile_id", "pool_id", "domain", "tenant_id", "name", "username",
    "calling_station_id", "static_ip4", "last_known_nas_name", "last_known_nas_ip4", "enabled", "creation_time",
    "updated_time", "expire", "timezone", "last_seen", "inactive_purge", "purge_if_seen", "locked_tags", "service",
    "virtual", "profile", "uncapped_data",
]  # fmt: skip


def token_of(user: User) -> str:
    return access_tokens.mint(user_id=user.pk, at=timezone.now())


def client_of(user: User, **headers: str) -> Foreign:
    """A client that sends its token where the page has it."""
    return Foreign("interstellio", **{"X-Auth-Token": token_of(user)}, **headers)


def make_request() -> dict[str, Any]:
    """Return the page's request example, with the records it names."""
    return {
        "virtual_id": str(VirtualServer.objects.create(name="BROADBAND AAA", realm="example.com").pk),
        "service_id": str(ServiceProfile.objects.create(name="BROADBAND PPPOE").pk),
        "profile_id": str(Policy.objects.create(name="15 Mbps Uncapped", down_kbps=15_000, up_kbps=15_000).pk),
        "name": "TEST Account",
        "username": "test@example.com",
        "enabled": True,
        "timezone": "Africa/Johannesburg",
    }  # fmt: skip


def refusal(response: Any) -> tuple[int, str]:
    """Return status and title after checking the one shape of errors."""
    body = response.json()
    assert list(body) == ["error"]
    assert list(body["error"]) == ["title", "description", "request_id"]
    assert body["error"]["description"]
    assert body["error"]["request_id"] == response["X-Request-ID"]
    return response.status_code, body["error"]["title"]
