"""The payment page: one invoice, for whoever has its link. No log-in, no session; the link alone says what is meant."""

from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods
from redis.exceptions import RedisError

from billing.models import GatewayAccount, Invoice, InvoiceKind, InvoiceStatus, Language
from billing.services.documents import invoice_pdf
from billing.services.documents.identity import billing_identity
from billing.services.documents.invoices import file_name, is_open, transfer_code_of, transfer_rows
from billing.services.documents.languages import Words, words_of
from billing.services.gateways import checkouts
from billing.services.invoices.links import LinkOver, LinkWrong, payment_link, read_token
from ispcore.api.request import client_ip
from ispcore.api.throttles import GcraLimit, address_group
from ispcore.errors import DomainError
from ispcore.tenants.context import tenant_context
from subscribers.services.periods import local_date

log = structlog.get_logger(__name__)
# Enough for a household behind one address, and too few to try signatures.
LIMIT = GcraLimit(rate=60, period=60, burst=30)
MOST_GATEWAYS = 6
MOST_LINES = 200
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"
)

View = Callable[..., HttpResponse]


def bounded(view: View) -> View:
    """Answer 429 to an address that asks too often, and 404 or 410 to a link that is wrong or over."""

    @wraps(view)
    def answer(request: HttpRequest, token: str) -> HttpResponse:
        words = words_of(request.GET.get("language", ""))
        try:
            taken = LIMIT.take(f"pay:{address_group(client_ip(request))}")
        except RedisError:
            taken = None  # The signature guards the page; the limit only spares the server.
        if taken is not None and not taken.allowed:
            response = _closed(request, words, "too_often", 429)
            response["Retry-After"] = str(taken.retry_after_seconds)
            return response
        try:
            tenant_id, invoice_id = read_token(token)
            return _guarded(view(request, token, tenant_id, invoice_id))
        except LinkOver:
            return _closed(request, words, "link_over", 410)
        except LinkWrong:
            return _closed(request, words, "link_wrong", 404)

    return answer


@require_http_methods(["GET", "HEAD"])
@bounded
def page(request: HttpRequest, token: str, tenant_id: UUID, invoice_id: UUID) -> HttpResponse:
    """Show an invoice: what is open, until when, and how to pay it."""
    return _page(request, token, tenant_id, invoice_id)


@require_http_methods(["GET", "HEAD"])
@bounded
def document(request: HttpRequest, token: str, tenant_id: UUID, invoice_id: UUID) -> HttpResponse:
    """Send the invoice as PDF."""
    with tenant_context(tenant_id):
        invoice = _find(invoice_id)
        pdf = invoice_pdf(invoice, language=request.GET.get("language", ""), link=payment_link(invoice))
    response = HttpResponse(pdf, content_type="application/pdf")
    response["Content-Disposition"] = f'attachment; filename="{file_name(invoice)}"'
    return response


@csrf_exempt  # Nothing of a session is used: the link itself is the permission, and a stranger has none.
@require_http_methods(["POST"])
@bounded
def begin(request: HttpRequest, token: str, tenant_id: UUID, invoice_id: UUID) -> HttpResponse:
    """Begin a payment of what is open at one of the provider's gateways, and go there."""
    language = request.POST.get("language", "")
    try:
        gateway_id = UUID(request.POST.get("gateway", ""))
    except ValueError:
        return _page(request, token, tenant_id, invoice_id, problem="pay_failed", status=422)
    back = (
        f"{settings.PUBLIC_URL}{reverse('pay', args=[token])}?{urlencode({'language': language, 'done': 1})}"
    )
    try:
        with tenant_context(tenant_id):
            checkout = checkouts.record_invoice(gateway_id=gateway_id, invoice_id=invoice_id)
        # The gateway is asked with no transaction open.
        begun = checkouts.begin(tenant_id=tenant_id, checkout_id=checkout.pk, return_url=back)
    except DomainError as refusal:
        log.warning("payment_not_begun", code=refusal.code, invoice_id=str(invoice_id))
        return _page(request, token, tenant_id, invoice_id, problem="pay_failed", status=refusal.status)
    return HttpResponseRedirect(begun["url"])


def _page(
    request: HttpRequest,
    token: str,
    tenant_id: UUID,
    invoice_id: UUID,
    *,
    problem: str = "",
    status: int = 200,
) -> HttpResponse:
    with tenant_context(tenant_id):
        invoice, identity = _find(invoice_id), billing_identity()
        words = words_of(request.GET.get("language") or request.POST.get("language") or identity.language)
        is_payable = is_open(invoice)
        enabled = GatewayAccount.objects.filter(is_enabled=True).order_by("label")
        gateways = list(enabled[:MOST_GATEWAYS]) if is_payable else []
        rows = transfer_rows(invoice, identity, words) if is_payable else []
        is_helpless = is_payable and not rows and not gateways
        context = {
            **_shared(words),
            "provider": identity.legal_name,
            "contact": identity.email,
            "number": invoice.number,
            "customer": invoice.subscriber.full_name,
            "is_payable": is_payable,
            "state": _state(invoice, words),
            "open": words.money(invoice.open_amount, invoice.currency),
            "facts": _facts(invoice, words),
            "lines": [
                (
                    line.description,
                    words.days(line.period_start, line.period_end),
                    words.money(line.net, invoice.currency),
                )
                for line in invoice.lines.order_by("position")[:MOST_LINES]
            ],
            "gateways": [(each.pk, words.say("by_gateway", name=each.label)) for each in gateways],
            "transfer": rows,
            "code": transfer_code_of(invoice, identity) if rows and invoice.currency == "EUR" else "",
            "nobody": words.say("no_way_to_pay", name=identity.legal_name) if is_helpless else "",
            "problem": words.say(problem) if problem else "",
            "notice": words.say("thanks") if request.GET.get("done") and is_payable else "",
            "languages": _languages(reverse("pay", args=[token]), words),
            "pdf_url": f"{reverse('pay-pdf', args=[token])}?language={words.language}",
            "pay_url": reverse("pay-begin", args=[token]),
            "pay_button": words.say("pay_with", amount=words.money(invoice.open_amount, invoice.currency)),
        }  # fmt: skip
    return render(request, "billing/pay.html", context, status=status)


def _find(invoice_id: UUID) -> Invoice:
    found: Invoice | None = (
        Invoice.objects.select_related("subscriber", "corrects")
        .exclude(status=InvoiceStatus.DRAFT)
        .filter(pk=invoice_id)
        .first()
    )
    if found is None:
        raise LinkWrong
    return found


def _state(invoice: Invoice, words: Words) -> tuple[str, str]:
    """Return the tone and the words of what is with this invoice; nothing for one that is simply open."""
    if invoice.kind == InvoiceKind.CREDIT_NOTE:
        return "", ""
    if invoice.status == InvoiceStatus.PAID:
        return "good", words.say("is_paid")
    if invoice.status == InvoiceStatus.VOID:
        return "plain", words.say("is_void")
    if invoice.due_on and invoice.due_on < local_date(timezone.now()):
        return "danger", words.say("is_overdue", due=words.day(invoice.due_on))
    return "", ""


def _facts(invoice: Invoice, words: Words) -> list[tuple[str, str]]:
    facts = [
        ("customer", invoice.subscriber.full_name),
        ("date", words.day(invoice.issued_on)),
        ("due", words.day(invoice.due_on)),
        ("period", words.days(invoice.period_start, invoice.period_end)),
        ("total", words.money(invoice.total, invoice.currency)),
    ]
    return [(words.say(name), value) for name, value in facts if value]


def _languages(url: str, words: Words) -> list[tuple[str, str, str, bool]]:
    return [
        (code, label, f"{url}?language={code}", code == words.language) for code, label in Language.choices
    ]


def _shared(words: Words) -> dict[str, Any]:
    names = (
        "invoice",
        "open",
        "download",
        "by_transfer",
        "scan_bank",
        "name_reference",
        "language",
        "how_to_pay",
    )
    return {
        "language": words.language,
        "direction": "rtl" if words.is_right_to_left else "ltr",
        "words": {name: words.say(name) for name in names},
    }


def _closed(request: HttpRequest, words: Words, why: str, status: int) -> HttpResponse:
    context = {**_shared(words), "problem": words.say(why), "provider": ""}
    return _guarded(render(request, "billing/pay.html", context, status=status))


def _guarded(response: HttpResponse) -> HttpResponse:
    """The address is the permission: it is told to nobody else, kept by no cache and found by no search."""
    response["Referrer-Policy"] = "no-referrer"
    response["Cache-Control"] = "no-store"
    response["X-Robots-Tag"] = "noindex, nofollow"
    if response.get("Content-Type", "").startswith("text/html"):
        response["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    return response
