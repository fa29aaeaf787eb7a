"""The same columns of the same rows without the house, served beside it as ceilings.

Django with next to no middleware, no credential, no role, no limit, no envelope, no version tag, and a connection that
row-level security does not bind. `BENCH_TENANT` names whose rows are shown.
"""

import os
from typing import Any
from uuid import UUID, uuid4

import orjson
from django.db import connection
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path
from rest_framework.generics import CreateAPIView, ListAPIView, RetrieveAPIView
from rest_framework.pagination import CursorPagination, PageNumberPagination
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.serializers import ModelSerializer
from rest_framework.views import APIView

from subscribers.models import Subscriber

COLUMNS = [
    "id", "number", "external_id", "full_name", "email", "phone", "status", "address_line1", "address_line2",
    "city", "state", "postal_code", "country", "document_type", "document_number", "metadata", "tags",
    "custom_fields", "terms_accepted_at", "marketing_consent_at", "suspended_until", "created_at", "updated_at",
]  # fmt: skip
PAGE = 50


class PlainSerializer(ModelSerializer[Subscriber]):
    class Meta:
        model = Subscriber
        fields = COLUMNS


class ByNumber(PageNumberPagination):
    page_size = PAGE


class ByCursor(CursorPagination):
    page_size = PAGE
    ordering = "-id"


class Bare:
    """What each of these views leaves out."""

    authentication_classes: Any = ()
    permission_classes: Any = ()
    throttle_classes: Any = ()
    renderer_classes: Any = (JSONRenderer,)
    filter_backends: Any = ()
    serializer_class: Any = PlainSerializer

    def get_queryset(self) -> QuerySet[Subscriber]:
        tenant = UUID(os.environ["BENCH_TENANT"])
        rows: QuerySet[Subscriber] = Subscriber._base_manager.filter(tenant_id=tenant).order_by("-id")
        return rows


class CountedView(Bare, ListAPIView[Subscriber]):
    pagination_class = ByNumber


class WalkedView(Bare, ListAPIView[Subscriber]):
    pagination_class = ByCursor


class OneView(Bare, RetrieveAPIView[Subscriber]):
    pass


class CreatedView(Bare, CreateAPIView[Subscriber]):
    def perform_create(self, serializer: Any) -> None:
        serializer.save(tenant_id=UUID(os.environ["BENCH_TENANT"]), number=f"B{uuid4().hex[:15]}")


class ValuesView(Bare, APIView):
    def get(self, request: Request) -> HttpResponse:
        return as_json(list(self.get_queryset().values(*COLUMNS)[:PAGE]))


class OneValuesView(Bare, APIView):
    def get(self, request: Request, pk: UUID) -> HttpResponse:
        found = self.get_queryset().values(*COLUMNS).filter(pk=pk).first()
        if found is None:
            raise Http404
        return as_json(found)


def written_by_sql(request: HttpRequest) -> HttpResponse:
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT json_agg(page)::text FROM (
                SELECT {", ".join(COLUMNS)} FROM subscribers_subscriber
                WHERE tenant_id = %s ORDER BY id DESC LIMIT {PAGE}
            ) AS page
            """,
            [os.environ["BENCH_TENANT"]],
        )
        (text,) = cursor.fetchone()
    return HttpResponse(text, content_type="application/json")


def nothing(request: HttpRequest) -> HttpResponse:
    return HttpResponse(b"ok")


def as_json(body: Any) -> HttpResponse:
    return HttpResponse(orjson.dumps(body), content_type="application/json")


urlpatterns = [
    path("nothing", nothing),
    path("counted", CountedView.as_view()),
    path("walked", WalkedView.as_view()),
    path("values", ValuesView.as_view()),
    path("sql", written_by_sql),
    path("one/<uuid:pk>", OneView.as_view()),
    path("one-values/<uuid:pk>", OneValuesView.as_view()),
    path("created", CreatedView.as_view()),
]
