"""Identity checks: yes or no, a few times."""

import hashlib
from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from ispcore.api.errors import ApiError
from ispcore.api.fields import MoneyField, StrictSerializer, TextField
from ispcore.api.request import caller_of
from ispcore.api.throttles import GcraLimit, take_all
from ispcore.api.views import ApiView, valid
from subscribers.services import identity

# Guessing a price within 1.00 takes tens of tries: five a quarter of an hour make that days.
PER_SUBJECT = GcraLimit(rate=5, period=900)
# One credential may stand for a whole call centre.
PER_CREDENTIAL = GcraLimit(rate=120, period=3600, burst=30)


class FactsInput(StrictSerializer):
    """What somebody says of themselves: at least three of the four."""

    name = TextField(max_length=200, required=False, allow_null=True)
    address = TextField(
        max_length=600, required=False, allow_null=True, help_text="The first line, or more of it in order."
    )
    plan = TextField(max_length=120, required=False, allow_null=True, help_text="The plan's name or code.")
    price = MoneyField(required=False, allow_null=True, help_text="Per period; may differ by 1.00.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if identity.Facts(**attrs).count < identity.FEWEST_FACTS:
            message = f"Give at least {identity.FEWEST_FACTS} of name, address, plan and price."
            raise serializers.ValidationError(message, code="too_few_facts")
        return attrs


class VerifiedSerializer(serializers.Serializer[Any]):
    verified = serializers.BooleanField()


class ResolvedSerializer(VerifiedSerializer):
    subscriber_id = serializers.UUIDField(allow_null=True, help_text="Only when verified.")


class ResolveView(ApiView):
    app_label = "subscribers"
    verbs = {"post": "view"}

    @extend_schema(request=FactsInput, responses=ResolvedSerializer, operation_id="subscribers_resolve")
    def post(self, request: Request) -> Response:
        """Find and verify a customer by at least three of name, address, plan and price.

        Every fact given must be true. Which one is not is never told; attempts are limited.
        """
        facts = identity.Facts(**valid(FactsInput(data=request.data)))
        limit_attempts(request, subjects=facts.subjects)
        found = identity.resolve_identity(facts=facts)
        return Response({"verified": found is not None, "subscriber_id": found and str(found)})


def verify(request: Request, *, subscriber_id: UUID) -> Response:
    """Answer whether the facts in the request are true of a customer."""
    facts = identity.Facts(**valid(FactsInput(data=request.data)))
    limit_attempts(request, subjects=[str(subscriber_id)])
    return Response({"verified": identity.verify_identity(subscriber_id=subscriber_id, facts=facts)})


def limit_attempts(request: Request, *, subjects: list[str]) -> None:
    """Count one attempt at each subject and for the credential; 429 when one has had its share.

    Without Redis nobody is verified: a limit that can be switched off is none.
    """
    caller = caller_of(request._request)
    who = caller.principal.key if caller.principal else ""
    limits = [(f"identity:{caller.tenant_id}:by:{who}", PER_CREDENTIAL)]
    for subject in subjects:
        digest = hashlib.blake2b(subject.encode(), digest_size=16).hexdigest()
        limits.append((f"identity:{caller.tenant_id}:of:{digest}", PER_SUBJECT))
    taken = take_all(limits)
    if not taken[0].allowed:
        wait = max(each.retry_after_seconds for each in taken)
        raise ApiError(429, "rate_limited", "Too many identity checks. Try again later.", wait=wait)
