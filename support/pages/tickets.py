"""A customer's tickets: listed, opened, read and answered."""

from contextlib import suppress
from datetime import date
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from ispcore.errors import DomainError, NotRegistered
from ispcore.files.services import download
from support.models import Comment, PortalAccount, Source, Subject, Ticket, TicketStatus
from support.pages.frame import Site, customers_page, show, to
from support.pages.own import MOST_LINES, line_words
from support.pages.speaking import refusal_words
from support.services.portal import own
from support.services.portal.words import Words
from support.services.tickets import Upload
from support.services.tickets.opening import DuplicateTicket

PER_PAGE = 25
MOST_SUBJECTS = 100
# Tone and word of a status; "waiting" is about the customer.
STATUSES = {
    TicketStatus.OPEN: ("wait", "ticket_open"),
    TicketStatus.IN_PROGRESS: ("wait", "ticket_in_progress"),
    TicketStatus.WAITING: ("bad", "ticket_waiting"),
    TicketStatus.RESOLVED: ("good", "ticket_resolved"),
    TicketStatus.CLOSED: ("plain", "ticket_closed_state"),
}


@require_safe
@customers_page
def listed(request: HttpRequest, site: Site, account: PortalAccount) -> HttpResponse:
    """List tickets, newest first."""
    rows = own.tickets_of(account.subscriber_id)
    with suppress(KeyError, ValueError):  # Without it, the first page.
        rows = rows.filter(pk__lt=UUID(request.GET["before"]))
    found = list(rows[: PER_PAGE + 1])
    shown = found[:PER_PAGE]
    context: dict[str, Any] = {
        "tickets": [(each, *_state(each, site.words), site.words.day(_day(each))) for each in shown],
        "older": shown[-1].pk if len(found) > PER_PAGE else None,
    }
    return show(request, "tickets", site, here="tickets", **context)


@require_http_methods(["GET", "HEAD", "POST"])
@customers_page
def new(request: HttpRequest, site: Site, account: PortalAccount) -> HttpResponse:
    """Open a ticket."""
    if request.method != "POST":
        return _form(request, site, account)
    text = request.POST.get("text", "").strip()
    try:
        subject_id = UUID(request.POST.get("subject", ""))
        line = request.POST.get("service", "")
        line_id = UUID(line) if line else None
    except ValueError:
        return _form(request, site, account, problem=site.words["choose_subject"], status=422)
    if not text:
        return _form(request, site, account, problem=site.words["tell_us"], status=422)
    try:
        ticket = own.open_ticket(
            customer_id=account.subscriber_id,
            subject_id=subject_id,
            line_id=line_id,
            text=text,
            at=timezone.now(),
            files=_uploads(request),
        )
    except DomainError as refusal:
        known = None
        if isinstance(refusal, DuplicateTicket):
            known = own.tickets_of(account.subscriber_id).filter(number=refusal.details["number"]).first()
        elif isinstance(refusal, NotRegistered):
            raise
        problem = refusal_words(site.words, refusal)
        return _form(request, site, account, problem=problem, status=refusal.status, known=known)
    return to(site, "portal-ticket", ticket_id=ticket.pk)


@require_http_methods(["GET", "HEAD", "POST"])
@customers_page
def ticket(request: HttpRequest, site: Site, account: PortalAccount, ticket_id: UUID) -> HttpResponse:
    """Show the conversation, without what staff keep to themselves, and take an answer."""
    problem, status = "", 200
    if request.method == "POST":
        try:
            own.answer(
                customer_id=account.subscriber_id,
                ticket_id=ticket_id,
                text=request.POST.get("text", ""),
                at=timezone.now(),
                files=_uploads(request),
            )
            done = to(site, "portal-ticket", ticket_id=ticket_id)
            done["Location"] += "#answer"
            return done
        except NotRegistered:
            raise
        except DomainError as refusal:
            problem, status = refusal_words(site.words, refusal), refusal.status
    found = own.find_ticket(account.subscriber_id, ticket_id)
    tone, state = _state(found, site.words)
    context: dict[str, Any] = {
        "ticket": found,
        "tone": tone,
        "state": state,
        "comments": [(each, _said_by(each, site)) for each in own.public_comments(found)],
        "is_closed": found.status == TicketStatus.CLOSED,
        "is_resolved": found.status == TicketStatus.RESOLVED,
        "problem": problem,
        "text": request.POST.get("text", "") if problem else "",
    }
    return show(request, "ticket", site, status=status, here="tickets", **context)


@require_safe
@customers_page
def attachment(
    request: HttpRequest, site: Site, account: PortalAccount, attachment_id: UUID
) -> HttpResponseBase:
    """Send a file of a comment the customer may read."""
    return download(own.find_attachment(account.subscriber_id, attachment_id).file)


def _form(
    request: HttpRequest,
    site: Site,
    account: PortalAccount,
    *,
    problem: str = "",
    status: int = 200,
    known: Any = None,
) -> HttpResponse:
    subjects = Subject.objects.filter(is_active=True).order_by("position", "name")[:MOST_SUBJECTS]
    given = request.POST or request.GET
    context = {
        "subjects": subjects,
        "lines": [
            (line, line_words(line, site.words)) for line in own.lines_of(account.subscriber_id)[:MOST_LINES]
        ],
        "problem": problem,
        "known": reverse("portal-ticket", args=[site.slug, known.pk]) if known else "",
        "given": {name: given.get(name, "") for name in ("subject", "service", "text")},
    }
    return show(request, "new_ticket", site, status=status, here="tickets", **context)


def _state(ticket: Ticket, words: Words) -> tuple[str, str]:
    tone, word = STATUSES[TicketStatus(ticket.status)]
    return tone, words[word]


def _day(ticket: Ticket) -> date:
    return timezone.localdate(ticket.created_at)


def _said_by(comment: Comment, site: Site) -> str:
    is_theirs = comment.source == Source.CUSTOMER
    who = site.words["you"] if is_theirs else comment.author_name or site.provider
    return site.words.say("said_on", who=who, when=site.words.moment(comment.said_at))


def _uploads(request: HttpRequest) -> list[Upload]:
    return [Upload(each.name or "", each.chunks()) for each in request.FILES.getlist("files") if each.size]
