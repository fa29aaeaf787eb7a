"""Where the link below an offer leads: one button, and nothing to log in to."""

from collections.abc import Callable
from functools import wraps
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from billing.services.documents.identity import billing_identity
from ispcore import audit
from ispcore.api.request import client_ip, request_id_of
from ispcore.api.throttles import address_group
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant
from subscribers.models import Subscriber
from support.pages.frame import LIMIT, Site, problem, show, take, with_headers
from support.pages.speaking import words_for
from support.services.notices import stopping
from support.services.portal.access import language_of

View = Callable[[HttpRequest, Site, Subscriber], HttpResponse]


def _of_link(view: View) -> Callable[..., HttpResponse]:
    @wraps(view)
    def answer(request: HttpRequest, token: str) -> HttpResponse:
        try:
            tenant_id, subscriber_id = stopping.read_token(token)
        except stopping.StopLinkWrong:
            # Those alone are counted: mail services press the links of all their customers from one address.
            is_too_often = take(f"stop:{address_group(client_ip(request))}", LIMIT)
            return problem(
                request, "rate_limited" if is_too_often else "stop_wrong", 429 if is_too_often else 404
            )
        return _in_tenant(view, request, tenant_id, subscriber_id)

    return answer


def _in_tenant(view: View, request: HttpRequest, tenant_id: UUID, subscriber_id: UUID) -> HttpResponse:
    stamp = audit.acting(
        user_id=None, ip=client_ip(request), request_id=request_id_of(request), by="link in an offer"
    )
    tenant = Tenant.objects.filter(pk=tenant_id, is_active=True).first()
    if tenant is None:
        return problem(request, "stop_wrong", 404)
    with tenant_context(tenant_id), stamp:
        customer = Subscriber.objects.filter(pk=subscriber_id).first()
        if customer is None:
            return problem(request, "stop_wrong", 404)
        words = words_for(request, chosen=language_of(customer))
        return with_headers(view(request, Site(tenant, billing_identity(), words), customer))


@csrf_exempt  # Nothing of a session is used; a mail program presses it without cookies (RFC 8058 section 3.1).
@require_http_methods(["GET", "HEAD", "POST"])
@_of_link
def stop(request: HttpRequest, site: Site, customer: Subscriber) -> HttpResponse:
    """Ask, and by POST stop the offers; answered at once and never by a redirect, as RFC 8058 has it."""
    if request.method != "POST":
        return show(request, "stop", site, question=site.words.say("stop_ask", address=customer.email))
    stopping.stop_offers(subscriber_id=customer.pk, at=timezone.now())
    return show(request, "stop", site, notice=site.words.say("stop_done", address=customer.email))
