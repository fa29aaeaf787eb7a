"""A client that a generator makes of the OpenAPI document, led through the main stories against a live server.

What it makes is as good as the document: with a field missing there, or two bodies of one name, a step here would not
even be possible to write.
"""

import importlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

from ispcore.tenants.context import tenant_context
from tests.conftest import PASSWORD
from tests.contract import Answer, check, document
from tests.support.desk import make_subject

pytestmark = pytest.mark.django_db(transaction=True)

PACKAGE = "ispcore_client"
# A PDF is bytes; left to itself the generator leaves it out.
CONFIG = """
project_name_override: ispcore-client
package_name_override: ispcore_client
post_hooks: []
content_type_overrides:
  application/pdf: application/octet-stream
"""


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Generate the client once, outside the project."""
    directory = tmp_path_factory.mktemp("client")
    (directory / "openapi.json").write_text(json.dumps(document()))
    (directory / "config.yml").write_text(CONFIG)
    command = [
        str(Path(sys.executable).with_name("openapi-python-client")), "generate", "--path", "openapi.json",
        "--output-path", PACKAGE, "--meta", "none", "--config", "config.yml", "--fail-on-warning",
    ]  # fmt: skip
    made = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stdout + made.stderr
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(directory))
        yield directory / PACKAGE


class Client:
    """The generated functions by name, and a client that holds every answer against the document on its way."""

    def __init__(self, url: str, token: str = "") -> None:
        root = importlib.import_module(PACKAGE)
        self.models = importlib.import_module(f"{PACKAGE}.models")
        options: dict[str, Any] = {
            "base_url": url,
            "raise_on_unexpected_status": True,
            "timeout": httpx.Timeout(120),  # However long it takes on a busy machine.
            "httpx_args": {"event_hooks": {"response": [_hold]}},
        }
        self.client = root.AuthenticatedClient(token=token, **options) if token else root.Client(**options)

    def close(self) -> None:
        self.client.get_httpx_client().close()

    def call(self, name: str, *args: Any, expected: int = 200, **given: Any) -> Any:
        """Call `<tag>.<operation>` and return what it parsed, after its status."""
        answer = self.answer(name, *args, **given)
        assert answer.status_code == expected, answer.content
        return answer.parsed

    def answer(self, name: str, *args: Any, **given: Any) -> Any:
        function: ModuleType = importlib.import_module(f"{PACKAGE}.api.{name}")
        return function.sync_detailed(*args, client=self.client, **given)


def _hold(response: httpx.Response) -> None:
    response.read()
    headers = {name.lower(): value for name, value in response.headers.items()}
    for name in ("date", "server", "connection", "keep-alive"):  # The web server's own.
        headers.pop(name, None)
    request = response.request
    check(Answer(request.method, request.url.path, response.status_code, headers, response.content))


@pytest.fixture
def connect(package: Path, live_server: Any) -> Iterator[Callable[..., Client]]:
    """Make a client for a token, or for none; its connections end with the test."""
    with ExitStack() as stack:

        def make(token: str = "") -> Client:
            return stack.enter_context(closing(Client(live_server.url, token)))

        yield make


@pytest.fixture
def anonymous(connect: Callable[..., Client]) -> Client:
    return connect()


@pytest.fixture
def client(anonymous: Client, connect: Callable[..., Client], admin_user: Any) -> Client:
    """Somebody who logged in by the client's own token function."""
    given = anonymous.models.TokenJsonRequest(username=admin_user.email, password=PASSWORD)
    token = anonymous.call("auth.token_create", body=given)
    assert token.token_type == anonymous.models.TokenType.BEARER
    return connect(token.access_token)


@pytest.fixture
def register(client: Client) -> Callable[..., Any]:
    def make(name: str, **fields: Any) -> Any:
        models = client.models
        body = models.SubscriberRequest(full_name=name, status=models.SubscriberStatus.ACTIVE, **fields)
        return client.call("subscribers.subscribers_create", body=body, expected=201).data

    return make


def order(client: Client, customer: Any) -> Any:
    """Sell a plan at an address to a customer, and put it into service."""
    models = client.models
    plan = models.PlanRequest(
        code="F100", name="Fibre 100", down_kbps=100_000, up_kbps=20_000, price="29.90", currency="EUR"
    )
    sold = client.call("internet_plans.internet_plans_create", body=plan, expected=201).data
    place = models.PremiseRequest(address_line1="1 Hill Road", city="Town", country="PT")
    home = client.call("premises.premises_create", body=place, expected=201).data
    wish = models.ServiceInputRequest(customer_id=customer.id, product_id=sold.id, premise_id=home.id)
    return client.call("services.services_create", body=wish, expected=201).data


def test_who_is_logged_in_is_told_so(client, tenant):
    me = client.call("me.me_retrieve").data

    assert (me.email, me.tenant.slug, me.role) == (
        "admin@staff.example",
        tenant.slug,
        client.models.Role.ADMINISTRATOR,
    )


def test_a_form_logs_in_as_json_does_and_a_log_in_is_ended(anonymous, admin_user):
    models = anonymous.models
    form = models.TokenInputRequest(username=admin_user.email, password=PASSWORD)

    token = anonymous.call("auth.token_create", body=form)
    anonymous.call(
        "auth.token_revoke", body=models.RevokeJsonRequest(token=token.refresh_token), expected=204
    )
    again = models.TokenJsonRequest(
        grant_type=models.GrantType.REFRESH_TOKEN, refresh_token=token.refresh_token
    )

    refused = anonymous.call("auth.token_create", body=again, expected=401)
    assert isinstance(refused, models.ErrorEnvelope)


def test_a_subscriber_is_made_once_by_a_repeated_request(client):
    models = client.models
    body = models.SubscriberRequest(
        full_name="Jane Doe", status=models.SubscriberStatus.PROSPECT, email="jane@example.com",
        address=models.AddressRequest(line1="1 Hill Road", city="Town"),
    )  # fmt: skip

    first, again = (
        client.answer(
            "subscribers.subscribers_create", body=body, x_idempotency_key="one", x_tenant_id="north"
        )
        for _ in range(2)
    )

    jane = first.parsed.data
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.parsed.data == jane
    assert (jane.full_name, jane.address.city, jane.status) == ("Jane Doe", "Town", "prospect")
    assert jane.created_at.tzinfo == UTC
    assert client.call("subscribers.subscribers_retrieve", str(jane.id)).data == jane


def test_a_refusal_is_typed(client, connect, register):
    models = client.models
    active = models.SubscriberStatus.ACTIVE
    register("Jane Doe", external_id="crm-1")

    twice = models.SubscriberRequest(full_name="J. Doe", status=active, external_id="crm-1")
    wrong = models.SubscriberRequest(full_name="", status=active, email="nobody")
    taken = client.call("subscribers.subscribers_create", body=twice, expected=409)
    bad = client.call("subscribers.subscribers_create", body=wrong, expected=422)
    gone = client.call("subscribers.subscribers_retrieve", "SUB-999999", expected=404)

    assert (taken.success, taken.error.code, taken.error.field) == (
        False,
        "duplicate_subscriber",
        "external_id",
    )
    assert {each.field for each in bad.error.fields} == {"full_name", "email"}
    assert gone.error.code == "not_found"
    assert taken.meta.request_id.startswith("req_")
    assert isinstance(connect("ispk_guess_guess").call("me.me_retrieve", expected=401), models.ErrorEnvelope)


def test_lists_are_filtered_and_walked_by_page_and_by_cursor(client, register):
    names = [register(f"Customer {number}", tags=["vip"] if number else []).full_name for number in range(3)]

    tagged = client.call("subscribers.subscribers_list", tag="vip", page_size=1)
    first = client.call("subscribers.subscribers_list", cursor="", page_size=2)
    assert first.meta.pagination.next_
    rest = client.client.get_httpx_client().get(first.meta.pagination.next_).json()["data"]
    feed = client.call("events.events_list", limit=2)
    later = client.call("events.events_list", cursor=feed.meta.pagination.cursor)

    assert (tagged.meta.pagination.total, tagged.meta.pagination.pages, len(tagged.data)) == (2, 2, 1)
    assert [each.full_name for each in first.data] + [each["full_name"] for each in rest] == names[::-1]
    told = [each.type_ for each in [*feed.data, *later.data]]
    assert (len(feed.data), told.count("subscribers.subscriber_created")) == (2, 3)


def test_a_service_is_sold_activated_suspended_and_brought_back(client, register):
    models = client.models
    service = order(client, register("Jane Doe"))
    hold = models.HoldInputRequest(reason=models.HoldReason.STAFF, note="Away")

    active = client.call("services.services_activate_create", str(service.id)).data
    held = client.call("services.services_suspend_create", str(service.id), body=hold).data
    shown = client.answer("services.services_retrieve", str(service.id))
    back = client.call("services.services_resume_create", str(service.id)).data

    assert service.status == models.ServiceStatus.PENDING_INSTALLATION
    assert [each.status for each in (active, held, back)] == ["active", "suspended", "active"]
    assert shown.parsed.data == held
    same = client.answer("services.services_retrieve", str(service.id), if_none_match=shown.headers["ETag"])
    assert same.status_code == 200  # It is back since.
    active_ones = client.call("services.services_list", status=models.ServiceStatus.ACTIVE)
    assert [each.number for each in active_ones.data] == [service.number]


@pytest.mark.timeout(300)
def test_a_billing_run_is_waited_for_and_a_payment_taken(client, register, worker):
    models = client.models
    jane = register("Jane Doe")
    client.call("services.services_activate_create", str(order(client, jane).id))
    today = datetime.now(UTC).date()

    started = client.call(
        "billing.billing_invoices_generate",
        body=models.GenerateInputRequest(on=today), prefer="respond-async", expected=202,
    )  # fmt: skip
    task = _ended(client, started.data.id)
    run = client.call("billing.billing_runs_list").data[0]
    owed = client.call(
        "billing.billing_invoices_generate",
        body=models.GenerateInputRequest(on=today, subscriber_id=jane.id),
    )
    money = models.PaymentInputRequest(
        subscriber_id=jane.id, amount="29.90", currency="EUR", method=models.PaymentMethod.CASH
    )
    payment = client.call("billing.billing_payments_create", body=money, expected=201).data

    assert (task.status, task.error) == (models.TaskStatus.SUCCEEDED, None)
    assert (run.on, run.status) == (today, models.BillingRunStatus.PLANNED)
    assert owed.data.to_dict()["subscriber_id"] == str(jane.id)
    assert (payment.amount, payment.currency, payment.subscriber_id) == ("29.90", "EUR", jane.id)
    listed = client.call("billing.billing_payments_list", subscriber_id=jane.id)
    assert [each.id for each in listed.data] == [payment.id]


def test_a_ticket_is_opened_and_moved(client, register, tenant):
    models = client.models
    with tenant_context(tenant.pk):  # The server sees what is committed.
        subject = make_subject()
    body = models.TicketInputRequest(
        subject_id=subject.pk,
        subscriber_id=register("Jane Doe").id,
        title="No light",
        description="Since noon",
    )

    ticket = client.call("support.support_tickets_create", body=body, expected=201).data
    moved = client.call(
        "support.support_tickets_partial_update", str(ticket.id),
        body=models.PatchedTicketChangeRequest(status=models.TicketStatus.IN_PROGRESS),
    ).data  # fmt: skip

    assert (ticket.title, ticket.status, moved.status) == (
        "No light", models.TicketStatus.OPEN, models.TicketStatus.IN_PROGRESS,
    )  # fmt: skip


def test_a_webhook_shows_its_secret_once(client, settings):
    settings.WEBHOOK_NETWORKS = ["127.0.0.0/8"]
    body = client.models.NewWebhookInputRequest(url="https://127.0.0.1/in", event_types=["billing.*"])

    made = client.call("webhooks.webhooks_create", body=body, expected=201).data
    shown = client.call("webhooks.webhooks_retrieve", str(made.id)).data

    assert made.secret.startswith("whsec_")
    assert not hasattr(shown, "secret")
    assert (shown.url, shown.event_types, shown.is_enabled) == ("https://127.0.0.1/in", ["billing.*"], True)


def _ended(client: Client, task_id: Any, *, seconds: float = 120) -> Any:
    deadline = time.monotonic() + seconds
    while True:
        task = client.call("tasks.tasks_retrieve", str(task_id)).data
        if task.finished_at:
            return task
        assert time.monotonic() < deadline, f"{task.kind} is {task.status} after {seconds} s"
        time.sleep(0.1)
