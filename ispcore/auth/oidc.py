"""Log-in of staff at the OpenID Connect issuer: mozilla-django-oidc with what it leaves open closed."""

import time
from datetime import timedelta
from typing import Any, cast
from urllib.parse import urlencode

import structlog
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.backends import ModelBackend
from django.core.exceptions import SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from mozilla_django_oidc.auth import OIDCAuthenticationBackend
from mozilla_django_oidc.views import OIDCAuthenticationCallbackView, OIDCAuthenticationRequestView
from requests.exceptions import RequestException

from ispcore.api.request import client_ip, request_id_of
from ispcore.api.throttles import GcraLimit, address_group
from ispcore.auth import id_tokens, log_outs, people
from ispcore.errors import DomainError
from ispcore.tenants.models import User

log = structlog.get_logger(__name__)

ID_TOKEN_KEY = "oidc_id_token"  # noqa: S105  (a name)
# A tab may stay open over a coffee; what is older was not this person's wish any more.
STATE_SECONDS = 600
# What the issuer says of a person holds for a working day, then it is asked again.
SESSION_SECONDS = 12 * 3600
# Each attempt makes this server call the issuer twice.
ADDRESS_LIMIT = GcraLimit(rate=30, period=60)


class NotAnswered(DomainError):
    code = "dependency_unavailable"
    message = "The log-in service did not answer as it should. Try again, or log in with a password."
    status = 503


class LogInRefused(DomainError):
    code = "permission_denied"
    message = "The log-in was not completed: {reason}. Begin again."
    status = 403


def is_open() -> bool:
    """Tell whether staff can log in at the issuer."""
    return bool(settings.OIDC_ISSUER and settings.OIDC_RP_CLIENT_ID)


class ProviderBackend(OIDCAuthenticationBackend):  # type: ignore[misc]
    """Take an answer only from this issuer, for this client, to this session's question."""

    def authenticate(self, request: HttpRequest | None, **kwargs: Any) -> User | None:
        # Django asks every backend whenever anybody logs in, and the stock class then reads the address: a code
        # put beside the password form must not be redeemed without the session that asked for it.
        if request is None or not kwargs.get("nonce") or not kwargs.get("code_verifier"):
            return None
        return cast("User | None", super().authenticate(request, **kwargs))

    def verify_token(self, token: Any, **kwargs: Any) -> dict[str, Any]:
        return id_tokens.verify(token, nonce=kwargs.get("nonce") or "")

    def store_tokens(self, access_token: str, id_token: str) -> None:
        """Keep the ID token beside the request: it goes into the session when the log-in has succeeded."""
        self.request.id_token = id_token

    def get_or_create_user(self, access_token: str, id_token: str, payload: dict[str, Any]) -> User:
        told = self.get_userinfo(access_token, id_token, payload)
        if not isinstance(told, dict) or told.get("sub") != payload["sub"]:
            # OpenID Connect Core §5.3.2: else somebody else's access token lends them its claims.
            raise LogInRefused(reason="the log-in service answered about somebody else")
        claims = {**told, **payload}
        self.request.id_token_claims = payload
        owner = getattr(self.request, "links_to", None)
        if owner is not None:
            people.link(user=owner, subject=claims["sub"])
            return cast(User, owner)
        return people.arrive(
            claims=claims, ip=client_ip(self.request), request_id=request_id_of(self.request)
        )

    def get_user(self, user_id: Any) -> User | None:
        """Return the person unless they were switched off, as Django's own backend does."""
        return ModelBackend.get_user(self, user_id)


class BeginView(OIDCAuthenticationRequestView):  # type: ignore[misc]
    """GET sends the browser to the issuer; POST does, to link the account that is logged in."""

    http_method_names = ("get", "post")

    def get(self, request: HttpRequest) -> HttpResponse:
        if not is_open():
            raise Http404
        return cast(HttpResponse, super().get(request))

    def post(self, request: HttpRequest) -> HttpResponse:
        if not request.user.is_authenticated:
            return HttpResponseRedirect(reverse("admin:login"))
        answer = self.get(request)
        states = request.session["oidc_states"]
        newest = max(states, key=lambda state: states[state]["added_on"])
        states[newest]["links_to"] = str(request.user.pk)
        request.session.modified = True
        return answer


class CallbackView(OIDCAuthenticationCallbackView):  # type: ignore[misc]
    """Where the issuer sends the browser back to. Every refusal ends on the log-in page, in words."""

    def get(self, request: HttpRequest) -> HttpResponse:
        if not is_open():
            raise Http404
        try:
            self._check_first(request)
            return self._answered(request)
        except DomainError as refusal:
            return self._refused(request, str(refusal), type(refusal).__name__)

    def _answered(self, request: HttpRequest) -> HttpResponse:
        try:
            return cast(HttpResponse, super().get(request))
        except SuspiciousOperation as error:
            raise LogInRefused(reason="its answer belongs to no log-in that this browser began") from error
        except (RequestException, ValueError, KeyError, TypeError, AttributeError) as error:
            # What stands where its answer should stand may have any form.
            log.warning("log_in_service_failed", reason=type(error).__name__)
            raise NotAnswered from error

    def _check_first(self, request: HttpRequest) -> None:
        if not _may_try(request):
            raise LogInRefused(reason="there were too many attempts from this address; wait a minute")
        sender = request.GET.get("iss")
        if sender is not None and sender != settings.OIDC_ISSUER:  # RFC 9207 §2.4.
            raise LogInRefused(reason="the answer came from another log-in service")
        states = request.session.get("oidc_states") or {}
        entry = states.get(request.GET.get("state", ""))
        if entry is None:
            raise LogInRefused(reason="its answer belongs to no log-in that this browser began")
        if entry["added_on"] < time.time() - STATE_SECONDS:
            raise LogInRefused(reason="it took too long")
        if owner := entry.get("links_to"):
            if owner != str(request.user.pk):
                raise LogInRefused(reason="another person is logged in by now")
            request.links_to = request.user  # type: ignore[attr-defined]

    def login_success(self) -> HttpResponse:
        answer = super().login_success()
        session = self.request.session
        session[ID_TOKEN_KEY] = self.request.id_token
        if getattr(self.request, "links_to", None) is None:
            # A moment and not a number: the library and Django would count a number from the last change.
            session.set_expiry(timezone.now() + timedelta(seconds=SESSION_SECONDS))
            log_outs.note(session, self.request.id_token_claims)
        return cast(HttpResponse, answer)

    def login_failure(self) -> HttpResponse:
        if self.request.GET.get("error") == "access_denied":
            raise LogInRefused(reason="it was cancelled at the log-in service")
        raise LogInRefused(reason="the log-in service refused it")

    def _refused(self, request: HttpRequest, message: str, reason: str) -> HttpResponse:
        log.warning("log_in_refused", reason=reason, ip=client_ip(request))
        messages.error(request, message)
        return HttpResponseRedirect(
            reverse("admin:account") if request.user.is_authenticated else reverse("admin:login")
        )


def end_session_url(request: HttpRequest) -> str | None:
    """Return where a browser logs out at the issuer too (OpenID Connect RP-Initiated Logout 1.0 §2).

    None for a log-in with a password, or when the issuer has no such address.
    """
    id_token = request.session.get(ID_TOKEN_KEY)
    if not id_token or not settings.OIDC_END_SESSION_URL:
        return None
    query = {
        "id_token_hint": id_token,
        "client_id": settings.OIDC_RP_CLIENT_ID,
        "post_logout_redirect_uri": request.build_absolute_uri(reverse("admin:login")),
    }
    return f"{settings.OIDC_END_SESSION_URL}?{urlencode(query)}"


def _may_try(request: HttpRequest) -> bool:
    # While Redis is away, too: nothing can be guessed here, the issuer checks the person.
    return ADDRESS_LIMIT.allows(f"login:ip:{address_group(client_ip(request))}")
