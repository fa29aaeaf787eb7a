"""Log-outs that the issuer tells of (OpenID Connect Back-Channel Logout 1.0): sessions here end with those there.

A log-out is a row, and a session that began before it is over at its next request. So nothing has to be found, a
session that changes its key is met as well, and a log-in that is under way at that moment too.
"""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt

from ispcore.api.request import client_ip
from ispcore.api.throttles import GcraLimit, address_group
from ispcore.auth import id_tokens
from ispcore.auth.models import IssuerLogOut
from ispcore.errors import DomainError

log = structlog.get_logger(__name__)

EVENT = "http://schemas.openid.net/event/backchannel-logout"  # §2.4.
TYPES = frozenset(
    {"logout+jwt", "application/logout+jwt", *id_tokens.TYPES}
)  # §2.4: recommended, and not a must.
REQUIRED_CLAIMS = ["iss", "aud", "iat", "exp", "jti", "events"]
# A token that was held back for long is nobody's wish any more; §2.4 asks for two minutes at the most.
OLDEST_SECONDS = 600
MAX_ID = 255
SESSION_KEY = "oidc_session"
# An evening's log-outs come from one address, the issuer's.
ADDRESS_LIMIT = GcraLimit(rate=600, period=60)


class LogOutRefused(DomainError):
    code = "invalid_request"
    message = "The log-out cannot be trusted: {reason}."
    status = 400


class BackChannelView(View):
    """Where the issuer says that somebody has logged out there. §2.8: 200 when it was done, else 400 and why."""

    http_method_names = ("post",)

    @method_decorator(csrf_exempt)
    def dispatch(self, *args: Any, **kwargs: Any) -> Any:
        return super().dispatch(*args, **kwargs)

    def post(self, request: HttpRequest) -> HttpResponse:
        if not (settings.OIDC_ISSUER and settings.OIDC_RP_CLIENT_ID):
            raise Http404
        if not _may_try(request):
            return _answer({"error": "slow_down"}, 429)
        try:
            record(claims=verify(request.POST.get("logout_token", "")))
        except DomainError as refusal:
            log.warning("log_out_refused", reason=str(refusal), ip=client_ip(request))
            status = 503 if refusal.status == 503 else 400
            return _answer({"error": "invalid_request", "error_description": str(refusal)}, status)
        return _answer({}, 200)


def verify(token: str) -> dict[str, Any]:
    """Check a logout token completely (§2.6) and return its claims.

    Raises LogOutRefused, id_tokens.IdTokenRefused, or id_tokens.IssuerAway while the issuer's keys have never been
    seen.
    """
    claims = id_tokens.read(token, types=TYPES, required=REQUIRED_CLAIMS)
    events = claims["events"]
    if not isinstance(events, dict) or not isinstance(events.get(EVENT), dict):
        raise LogOutRefused(reason="it is no logout token (events)")
    if "nonce" in claims:
        raise LogOutRefused(reason="it is no logout token (nonce)")
    named = [name for name in ("sid", "sub") if name in claims]
    if not named:
        raise LogOutRefused(reason="it names neither session nor person")
    for name in ("jti", *named):
        if not id_tokens.is_plain(claims[name]) or not 1 <= len(claims[name]) <= MAX_ID:
            raise LogOutRefused(reason=f"its `{name}` is malformed")
    if not isinstance(claims["iat"], int | float) or claims["iat"] < time.time() - OLDEST_SECONDS:
        raise LogOutRefused(reason="it is too old")
    return claims


def record(*, claims: dict[str, Any]) -> None:
    """End the sessions that a checked logout token names: one, or all of a person's. Raises LogOutRefused."""
    try:
        with transaction.atomic():
            IssuerLogOut.objects.create(
                issuer=claims["iss"],
                jti=claims["jti"],
                sid=claims.get("sid", ""),
                subject=claims.get("sub", ""),
                at=_moment(claims["iat"]),
            )
    except IntegrityError as error:
        raise LogOutRefused(reason="it came before") from error
    log.info("logged_out_by_issuer", subject=claims.get("sub", ""))


def note(session: SessionBase, claims: dict[str, Any]) -> None:
    """Keep in a session which one of the issuer's it belongs to, as the ID token says."""
    sid = claims.get("sid")
    session[SESSION_KEY] = {
        "issuer": claims["iss"],
        "sid": sid if isinstance(sid, str) and id_tokens.is_plain(sid) else "",
        "subject": claims["sub"],
        "at": int(claims["iat"]),
    }


def is_over(session: SessionBase) -> bool:
    """Tell whether the issuer has ended a session that began there; one look into an index, none for passwords."""
    begun = session.get(SESSION_KEY)
    if begun is None:
        return False
    of_session = Q(sid=begun["sid"]) if begun["sid"] else Q(pk=None)
    ended = IssuerLogOut.objects.filter(
        of_session | Q(sid="", subject=begun["subject"]), issuer=begun["issuer"]
    )
    return ended.filter(at__gte=_moment(begun["at"])).exists()


def forget_old(at: datetime, *, kept: timedelta) -> int:
    """Delete the log-outs of longer ago than any session lasts and return how many. Safe to repeat."""
    deleted, _ = IssuerLogOut.objects.filter(at__lt=at - kept).delete()
    return deleted


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _answer(body: dict[str, str], status: int) -> HttpResponse:
    response = JsonResponse(body, status=status) if body else HttpResponse(status=status)
    response["Cache-Control"] = "no-store"
    return response


def _may_try(request: HttpRequest) -> bool:
    # While Redis is away, too: only the issuer's own words end anything.
    return ADDRESS_LIMIT.allows(f"logout:ip:{address_group(client_ip(request))}")
