"""Django's own middleware for people with a browser, passed by where programs call with a credential."""

from typing import Any

from django.contrib.auth import middleware as auth
from django.contrib.messages import middleware as messages
from django.contrib.sessions import middleware as sessions
from django.http import HttpRequest
from django.utils.deprecation import MiddlewareMixin

from ispcore.api.request import is_api


class _Staff(MiddlewareMixin):
    """Leave the API alone: it looks at no cookie, so it has no session, no `request.user` and no messages."""

    def __call__(self, request: HttpRequest) -> Any:
        return self.get_response(request) if is_api(request) else super().__call__(request)


class SessionMiddleware(_Staff, sessions.SessionMiddleware):
    pass


class AuthenticationMiddleware(_Staff, auth.AuthenticationMiddleware):
    pass


class MessageMiddleware(_Staff, messages.MessageMiddleware):
    pass
