"""`POST /api/v1/auth/token`: log in with a password, continue with a refresh token (RFC 6749 §4.3, §6)."""

import hashlib
from io import BytesIO
from typing import IO, Any

from django.conf import settings
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from redis.exceptions import RedisError
from rest_framework import serializers
from rest_framework.exceptions import Throttled
from rest_framework.parsers import FormParser
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from ispcore.api.envelope import PlainRenderer
from ispcore.api.errors import ApiError
from ispcore.api.parsers import StrictJSONParser
from ispcore.api.request import client_ip
from ispcore.api.throttles import GcraLimit, address_group
from ispcore.auth import services

# Far above what a person needs, far below what guessing needs; a correct password clears the account's.
ACCOUNT_LIMIT = GcraLimit(rate=2, period=60, burst=10)
ADDRESS_LIMIT = GcraLimit(rate=30, period=60)
MAX_BODY_BYTES = 16 * 1024
FORM, JSON = "application/x-www-form-urlencoded", "application/json"
PASSWORD_GRANT_CLOSED = "Passwords are not taken here: use the log-in service's access tokens or an API key."  # noqa: S105


class SmallFormParser(FormParser):
    """A form of at most 16 KiB, always UTF-8: a charset from outside may name any codec there is."""

    def parse(self, stream: IO[Any], media_type: str | None = None, parser_context: Any = None) -> Any:
        body = BytesIO(_small_body(parser_context))
        return super().parse(body, media_type, {**parser_context, "encoding": "utf-8"})


class SmallJSONParser(StrictJSONParser):
    """JSON of at most 16 KiB."""

    def parse(self, stream: IO[Any], media_type: str | None = None, parser_context: Any = None) -> Any:
        _small_body(parser_context)
        return super().parse(stream, media_type, parser_context)


def _small_body(parser_context: Any) -> bytes:
    body: bytes = parser_context["request"]._request.body
    if len(body) > MAX_BODY_BYTES:
        raise ApiError(413, "request_too_large", "The request body is too large.")
    return body


class TokenInput(serializers.Serializer[Any]):
    grant_type = serializers.ChoiceField(choices=["password", "refresh_token"], default="password")
    username = serializers.CharField(
        max_length=254, required=False, help_text="E-mail address; with `grant_type=password`."
    )
    password = serializers.CharField(
        max_length=1024, required=False, trim_whitespace=False, help_text="With `grant_type=password`."
    )
    otp = serializers.CharField(
        max_length=40,
        required=False,
        help_text="Code of the authenticator app or a recovery code; with `grant_type=password`, where the account "
        "has one.",
    )
    refresh_token = serializers.CharField(
        max_length=200, required=False, help_text="With `grant_type=refresh_token`."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        needed = ["refresh_token"] if attrs["grant_type"] == "refresh_token" else ["username", "password"]
        missing = {name: "This field is required." for name in needed if name not in attrs}
        if missing:
            raise serializers.ValidationError(missing, code="required")
        return attrs


class TokenJson(TokenInput):
    """The same as JSON: generated clients tell two bodies of one address apart by their names."""


class TokenAnswer(serializers.Serializer[Any]):
    access_token = serializers.CharField()
    token_type = serializers.ChoiceField(choices=["Bearer"])
    expires_in = serializers.IntegerField(help_text="Seconds.")
    refresh_token = serializers.CharField()


class TokenView(APIView):
    """Needs no credential; closed to guessing by limits per account and per address."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    throttle_classes = ()
    parser_classes = (SmallFormParser, SmallJSONParser)
    renderer_classes = (PlainRenderer,)

    @extend_schema(
        operation_id="token_create", request={FORM: TokenInput, JSON: TokenJson}, responses=TokenAnswer
    )
    def post(self, request: Request) -> Response:
        """Exchange an e-mail address and password, or a refresh token, for an access token."""
        address = f"token:ip:{address_group(client_ip(request._request))}"
        take_or_refuse(ADDRESS_LIMIT, address)
        given = TokenInput(data=request.data)
        given.is_valid(raise_exception=True)
        if given.validated_data["grant_type"] == "refresh_token":
            tokens = services.refresh(token=given.validated_data["refresh_token"], at=timezone.now())
        else:
            tokens = log_in_carefully(
                given.validated_data["username"],
                given.validated_data["password"],
                otp=given.validated_data.get("otp", ""),
            )
        return Response(
            {
                "access_token": tokens.access_token,
                "token_type": "Bearer",
                "expires_in": tokens.expires_in,
                "refresh_token": tokens.refresh_token,
            }
        )

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        response = super().finalize_response(request, response, *args, **kwargs)
        response["Cache-Control"] = "no-store"  # RFC 6749 §5.1.
        return response


class RevokeInput(serializers.Serializer[Any]):
    token = serializers.CharField(max_length=200, help_text="The refresh token.")


class RevokeJson(RevokeInput):
    """The same as JSON."""


class RevokeView(APIView):
    """Needs no credential but the token itself."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    throttle_classes = ()
    parser_classes = (SmallFormParser, SmallJSONParser)
    renderer_classes = (PlainRenderer,)

    @extend_schema(
        operation_id="token_revoke", request={FORM: RevokeInput, JSON: RevokeJson}, responses={204: None}
    )
    def post(self, request: Request) -> Response:
        """Log out: end the log-in a refresh token belongs to (RFC 7009). A token that is none ends nothing.

        Access tokens made by that log-in expire by themselves within 15 minutes.
        """
        take_or_refuse(ADDRESS_LIMIT, f"token:ip:{address_group(client_ip(request._request))}")
        given = RevokeInput(data=request.data)
        given.is_valid(raise_exception=True)
        services.end_log_in(token=given.validated_data["token"], at=timezone.now())
        return Response(status=204)


def log_in_carefully(email: str, password: str, *, otp: str = "") -> services.Tokens:
    """Log in, counting the attempt against the account before the password is looked at.

    Raises ApiError 403 `password_grant_closed` where this installation takes no passwords here, Throttled, and
    what `services.log_in` raises.
    """
    if not settings.PASSWORD_GRANT:
        raise ApiError(403, "password_grant_closed", PASSWORD_GRANT_CLOSED)
    account = hashlib.sha256(email.strip().lower().encode()).hexdigest()
    take_or_refuse(ACCOUNT_LIMIT, f"token:account:{account}")
    tokens = services.log_in(email=email, password=password, at=timezone.now(), otp=otp)
    ACCOUNT_LIMIT.forget(f"token:account:{account}")
    return tokens


def take_or_refuse(limit: GcraLimit, key: str) -> None:
    """Count one attempt.

    Raises Throttled (429), or ApiError 503 when Redis is away: a limit against guessing fails closed.
    """
    try:
        taken = limit.take(key)
    except RedisError as error:
        message = "Log-in attempts cannot be counted right now, so none is made. Try again shortly."
        raise ApiError(503, "dependency_unavailable", message) from error
    if not taken.allowed:
        raise Throttled(wait=taken.retry_after_seconds)
