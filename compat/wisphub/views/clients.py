"""Clients: lists, look-ups, identity, and the two fields of a profile that change."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from compat.wisphub import clients
from compat.wisphub.shapes import Action, failed, informed, succeeded
from compat.wisphub.views.base import WispHubView, number_in, required, said
from ispcore.api.envelope import UTC, dump
from ispcore.api.errors import ApiError
from ispcore.api.fields import FloatField, TextField
from ispcore.api.request import caller_of
from ispcore.api.views import valid
from ispcore.errors import DomainError
from ispcore.tenants.context import current_tenant_id
from subscribers import normal
from subscribers.api.customers import MAX_QUERY
from subscribers.api.identity import limit_attempts
from subscribers.models import Subscriber, Subscription
from subscribers.services import customers, identity
from subscribers.services.periods import local_date
from subscribers.services.settings import subscriber_settings

MOST_FOUND = 100
TOO_FEW = "Se requieren al menos 3 campos para {deed} la identidad (nombre, dirección, plan, precio)."


class ClientsView(WispHubView):
    """One client, or some."""

    app_label = "subscribers"

    def found(self, request: Request, rows: QuerySet[Subscription]) -> Response:
        line = clients.first_of(rows)
        if line is None:
            return said(informed(Action.CLIENT_NOT_FOUND, message="Client not found"))
        return said(succeeded(Action.CLIENT_FOUND, shown(request, line)[0]))


class ListView(ClientsView):
    def get(self, request: Request) -> StreamingHttpResponse:
        """List all active clients. Written as it is read, so no number of clients fills the memory."""
        parts = clients.walk(
            tenant_id=current_tenant_id(), on=local_date(timezone.now()), role=role_of(request)
        )
        return StreamingHttpResponse(_written(parts), content_type="application/json")


class SearchView(ClientsView):
    query_parameters = frozenset({"q"})

    def get(self, request: Request) -> Response:
        """Search clients by the beginnings of words of name, address, document, phone; the newest hundred."""
        text = required(request, "q")
        if len(text) > MAX_QUERY:
            raise ApiError(400, "malformed_request", f"`q` has more than {MAX_QUERY} characters.", field="q")
        people = customers.search_subscribers(Subscriber.objects.order_by("-id"), text)
        keys = list(people.values_list("pk", flat=True)[:MOST_FOUND])
        rows = clients.lines().filter(subscriber__in=keys, status__in=clients.PRESENT)
        found = list(rows.order_by("-id")[:MOST_FOUND])
        if not found:
            return said(succeeded(Action.CLIENT_NOT_FOUND, []))
        return said(succeeded(Action.CLIENTS_LISTED, shown(request, *found)))


class ByDocumentView(ClientsView):
    def get(self, request: Request, document: str) -> Response:
        """Find a client by their document, in any spelling."""
        wanted = normal.document_normal(document)
        if not wanted:
            return said(failed(Action.INVALID_DOCUMENT, "Invalid document format"), 400)
        return self.found(request, clients.lines().filter(subscriber__document_normal=wanted))


class ByPhoneView(ClientsView):
    def get(self, request: Request, phone: str) -> Response:
        """Find a client by their phone number, in any spelling."""
        wanted = normal.phone_to_e164(phone, region=subscriber_settings().phone_region)
        rows = clients.lines()
        return self.found(request, rows.filter(subscriber__phone_e164=wanted) if wanted else rows.none())


class ByServiceView(ClientsView):
    def get(self, request: Request, service_id: str) -> Response:
        """Find a client by the number of their service."""
        return self.found(request, clients.lines().filter(number=line_number(service_id)))


class FactsInput(serializers.Serializer[Any]):
    """What somebody says of themselves; unknown fields are left alone, as there."""

    name = TextField(max_length=200, required=False, allow_null=True)
    address = TextField(max_length=600, required=False, allow_null=True)
    internet_plan_name = TextField(max_length=120, required=False, allow_null=True)
    internet_plan_price = FloatField(required=False, allow_null=True, min_value=0, max_value=9_999_999_999)


class IdentityView(WispHubView):
    """Who somebody is; attempts are limited together with those of the native API."""

    app_label = "subscribers"
    verbs: ClassVar[dict[str, str]] = {"post": "view"}

    def facts(self, request: Request) -> identity.Facts:
        data = valid(FactsInput(data=request.data))
        price = data.get("internet_plan_price")
        return identity.Facts(
            name=data.get("name"),
            address=data.get("address"),
            plan=data.get("internet_plan_name"),
            price=None if price is None else round(Decimal(str(price)), 2),
        )


class ResolveView(IdentityView):
    def post(self, request: Request) -> Response:
        """Find the one client of whom at least three facts are all true, and show them."""
        facts = self.facts(request)
        if facts.count < identity.FEWEST_FACTS:
            return said(failed(Action.CLIENT_VERIFICATION_FAILED, TOO_FEW.format(deed="resolver")), 400)
        limit_attempts(request, subjects=facts.subjects)
        person = identity.resolve_identity(facts=facts)
        line = clients.first_of(clients.lines().filter(subscriber=person)) if person else None
        if line is None:
            message = "Ningún cliente coincide con todos los datos proporcionados."
            return said(informed(Action.CLIENT_NOT_FOUND, message=message))
        message = "Cliente identificado y verificado exitosamente."
        return said(succeeded(Action.CLIENT_VERIFIED, shown(request, line)[0], message))


class VerifyView(IdentityView):
    def post(self, request: Request, service_id: str) -> Response:
        """Tell whether at least three facts are all true of a client.

        `matched_fields` names them when all are; when one is not, it names none, and no true value is shown.
        """
        facts = self.facts(request)
        if facts.count < identity.FEWEST_FACTS:
            return said(failed(Action.CLIENT_VERIFICATION_FAILED, TOO_FEW.format(deed="verificar")), 400)
        line = clients.lines().filter(number=line_number(service_id)).first()
        if line is None:
            message = "El cliente especificado no fue encontrado en el sistema."
            return said(informed(Action.CLIENT_NOT_FOUND, message=message))
        limit_attempts(request, subjects=[str(line.subscriber_id)])
        if not identity.verify_identity(subscriber_id=line.subscriber_id, facts=facts):
            message = "Los datos proporcionados no coinciden con la información registrada."
            data: dict[str, Any] = {"is_valid": False, "matched_fields": []}
            return said(succeeded(Action.CLIENT_VERIFICATION_FAILED, data, message))
        data = {"is_valid": True, "matched_fields": _given(facts)}
        return said(succeeded(Action.CLIENT_VERIFIED, data, "Identidad validada de manera exitosa."))


class ProfileInput(serializers.Serializer[Any]):
    document = TextField(max_length=60, required=False, allow_null=True)
    phone = TextField(max_length=40, required=False, allow_null=True)


class ProfileView(WispHubView):
    app_label = "subscribers"

    def put(self, request: Request, service_id: str) -> Response:
        """Change a client's document, phone or both; what is not given stays."""
        given = {name: value for name, value in valid(ProfileInput(data=request.data)).items() if value}
        if not given:
            message = "No se brindaron datos válidos para actualizar."
            return said(failed(Action.CLIENT_UPDATE_FAILED, message), 400)
        line = clients.lines().filter(number=line_number(service_id)).first()
        if line is None:
            message = "No se pudo actualizar el cliente. Verifique el ID."
            return said(informed(Action.CLIENT_UPDATE_FAILED, message=message))
        names = {"document": "document_number", "phone": "phone"}
        try:
            customers.update_subscriber(
                subscriber_id=line.subscriber_id, **{names[name]: value for name, value in given.items()}
            )
        except DomainError as refusal:
            return said(failed(Action.CLIENT_UPDATE_FAILED, str(refusal)), refusal.status)
        message = "Perfil del cliente actualizado exitosamente."
        return said(succeeded(Action.CLIENT_UPDATED, message=message))


def line_number(text: str) -> int:
    """Read a service's number in the path. Raises ApiError 422."""
    return min(number_in("service_id", text), normal.MAX_LINE_NUMBER)


def role_of(request: Request) -> str | None:
    return caller_of(request._request).role


def shown(request: Request, *found: Subscription) -> list[dict[str, Any]]:
    return clients.show(found, on=local_date(timezone.now()), role=role_of(request))


def _given(facts: identity.Facts) -> list[str]:
    names = {
        "name": "name",
        "address": "address",
        "plan": "internet_plan_name",
        "price": "internet_plan_price",
    }
    return [shown for name, shown in names.items() if getattr(facts, name) is not None]


def _written(parts: Iterator[list[dict[str, Any]]]) -> Iterator[bytes]:
    """Write the answer around clients as they come."""
    head, tail = dump(succeeded(Action.CLIENTS_LISTED, []), zone=UTC).split(b"[]")
    yield head + b"["
    first = next(parts, None)
    if first is not None:
        yield _row_bytes(first)
        for part in parts:
            yield b"," + _row_bytes(part)
    yield b"]" + tail


def _row_bytes(part: list[dict[str, Any]]) -> bytes:
    return dump(part, zone=UTC)[1:-1]
