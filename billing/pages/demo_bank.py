"""The page of the demo's bank: whoever pays there says yes or no, and the bank sends its signed notice."""

from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from billing.gateways.demo_bank import DemoBank
from billing.models import Checkout, CheckoutStatus, GatewayKind
from billing.services.gateways import accounts, notices
from billing.services.invoices.links import payment_link
from ispcore.api.request import client_ip
from ispcore.api.throttles import GcraLimit, address_group
from ispcore.money import round_money
from ispcore.tenants.context import tenant_context

LIMIT = GcraLimit(rate=60, period=60, burst=30)


@csrf_exempt  # Nothing of a session is used: the address itself is the permission.
@require_http_methods(["GET", "HEAD", "POST"])
def page(request: HttpRequest, name: str, checkout_id: UUID) -> HttpResponse:
    """Ask whether to pay, and when told send the notice as a bank would: signed, to the account's address."""
    if not LIMIT.take(f"demo-bank:{address_group(client_ip(request))}").allowed:
        return HttpResponse("Too many requests; wait a minute.", status=429, content_type="text/plain")
    if request.method == "POST":
        _send(name, checkout_id, is_paid=request.POST.get("answer") == "pay")
    checkout, _ = _find(name, checkout_id)
    context = {
        "checkout": checkout,
        "amount": f"{round_money(checkout.amount, checkout.currency):,f} {checkout.currency}",
        "is_open": checkout.status == CheckoutStatus.OPEN,
        "is_paid": checkout.status == CheckoutStatus.PAID,
        "back_url": _back_url(checkout),
    }
    response = render(request, "billing/demo_bank.html", context)
    response["Referrer-Policy"] = "no-referrer"
    response["Cache-Control"] = "no-store"
    response["X-Robots-Tag"] = "noindex, nofollow"
    return response


def _send(name: str, checkout_id: UUID, *, is_paid: bool) -> None:
    checkout, bank = _find(name, checkout_id)
    if checkout.status != CheckoutStatus.OPEN:
        return
    at = timezone.now()
    kind = "paid" if is_paid else "ended"
    told = {
        "id": f"{kind}-{checkout.pk}",
        "kind": kind,
        "order": str(checkout.pk),
        "payment": f"payment-{checkout.pk}",
        "refund": "",
        "amount": str(checkout.amount),
        "currency": checkout.currency,
    }
    headers, body = bank.sign(told, at=at)
    notices.take(name=name, headers=headers, body=body, at=at)


def _back_url(checkout: Checkout) -> str:
    """Return where the payer came from: the page of the invoice; nowhere for a top-up."""
    if checkout.invoice is None:
        return ""
    with tenant_context(checkout.tenant_id):
        return f"{payment_link(checkout.invoice)}?done=1"


def _find(name: str, checkout_id: UUID) -> tuple[Checkout, DemoBank]:
    try:
        tenant, key = accounts.split_name(name)
    except accounts.GatewayUnknown as error:
        raise Http404 from error
    with tenant_context(tenant.pk):
        checkout = (
            Checkout.objects.select_related("gateway__tenant", "subscriber", "invoice", "tenant")
            .filter(pk=checkout_id, gateway__key=key, gateway__kind=GatewayKind.DEMO_BANK)
            .first()
        )
        if checkout is None:
            raise Http404
        bank = accounts.adapter_of(checkout.gateway)
    assert isinstance(bank, DemoBank)
    return checkout, bank
