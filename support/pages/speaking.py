"""Which language a page is in, and how a refusal is told to a customer."""

from django.http import HttpRequest
from django.utils.translation.trans_real import parse_accept_lang_header

from billing.models import Language
from ispcore.errors import DomainError
from support.services.portal import access
from support.services.portal.words import Words, words_in
from support.services.tickets import opening, rows, talking


class TooOften(DomainError):
    code = "rate_limited"
    message = "Too many attempts. Wait a few minutes, then try again."
    status = 429


REFUSALS: dict[type[DomainError], str] = {
    TooOften: "rate_limited",
    access.LinkOver: "link_expired",
    access.LogInRefused: "log_in_refused",
    access.PersonSwitchedOff: "person_switched_off",
    access.PasswordOfStaff: "password_of_staff",
    opening.DuplicateTicket: "duplicate_ticket",
    opening.ZoneTicketLimitReached: "zone_ticket_limit_reached",
    rows.TicketClosed: "ticket_closed",
    talking.NothingSaid: "nothing_written",
    talking.TextTooLong: "text_too_long",
    talking.TooManyFiles: "too_many_files",
    talking.AttachmentTooLarge: "file_too_large",
    talking.AttachmentNotAllowed: "file_not_allowed",
}


def refusal_words(words: Words, refusal: DomainError) -> str:
    """Say why something was refused; what a customer cannot know of is said to be impossible."""
    if isinstance(refusal, access.WeakPassword):
        return " ".join(words[code] for code in refusal.details["codes"])
    return words.say(REFUSALS.get(type(refusal), "refused"), **refusal.details)


def words_for(request: HttpRequest, *, chosen: str = "", usual: str = "") -> Words:
    """Choose what the address asks for, else what the customer chose, the browser wants, the provider has."""
    asked = request.GET.get("language", "")
    if asked in Language.values:
        return words_in(asked)
    return words_in(chosen or _wanted(request) or usual)


def _wanted(request: HttpRequest) -> str:
    """Return the first language of the browser's that the portal speaks (RFC 9110 section 12.5.4)."""
    header = request.headers.get("Accept-Language", "")
    for code, _ in parse_accept_lang_header(header):
        if (language := code.partition("-")[0]) in Language.values:
            return language
    return ""
