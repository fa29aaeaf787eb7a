"""Django's own middleware for people with a browser, passed by where programs call with a credential."""

from typing import Any, cast

from django.contrib.auth import middleware as auth
from django.contrib.auth.models import AnonymousUser
from django.contrib.messages import middleware as messages
from django.contrib.sessions import middleware as django_sessions
from django.http import HttpRequest
from django.utils.deprecation import MiddlewareMixin
from django.utils.functional import SimpleLazyObject

from ispcore.api.request import is_api
from ispcore.auth import log_outs, sessions


class _Staff(MiddlewareMixin):
    """Leave the API alone: it looks at no cookie, so it has no session, no `request.user` and no messages."""

    def __call__(self, request: HttpRequest) -> Any:
        return self.get_response(request) if is_api(request) else super().__call__(request)


class SessionMiddleware(_Staff, django_sessions.SessionMiddleware):
    pass


class AuthenticationMiddleware(_Staff, auth.AuthenticationMiddleware):
    """Nobody is logged in by a session that the log-in service has ended, or that has lasted too long."""

    def process_request(self, request: HttpRequest) -> None:
        super().process_request(request)
        request.user = cast(Any, SimpleLazyObject(lambda: _user_of(request)))


class MessageMiddleware(_Staff, messages.MessageMiddleware):
    pass


def _user_of(request: HttpRequest) -> Any:
    if log_outs.is_over(request.session) or sessions.is_too_old(request.session):
        request.session.flush()
        return AnonymousUser()
    sessions.note_seen(request.session)
    return auth.get_user(request)
