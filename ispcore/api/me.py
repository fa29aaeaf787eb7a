from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from ispcore.api.request import caller_of
from ispcore.api.views import ApiView
from ispcore.tenants.models import Tenant
from ispcore.tenants.roles import GRANTS, Role


class MyTenantSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    slug = serializers.CharField()
    name = serializers.CharField()
    timezone = serializers.CharField()


class MeSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField(allow_null=True)
    email = serializers.EmailField(allow_null=True)
    full_name = serializers.CharField(allow_null=True)
    tenant = MyTenantSerializer()
    role = serializers.ChoiceField(choices=Role.choices)
    permissions = serializers.ListField(child=serializers.CharField())


class MeView(ApiView):
    app_label = "me"
    permission_classes = ()

    @extend_schema(responses=MeSerializer, operation_id="me_retrieve")
    def get(self, request: Request) -> Response:
        """Who this credential is, for which tenant, and what it may do."""
        caller = caller_of(request._request)
        if caller.principal is None or caller.tenant_id is None:
            self.permission_denied(request)
        assert caller.principal
        user = caller.principal.user
        tenant = Tenant.objects.get(pk=caller.tenant_id)
        grants = GRANTS[Role(str(caller.role))]
        return Response(
            {
                "id": user.pk if user else None,
                "email": user.email if user else None,
                "full_name": user.full_name if user else None,
                "tenant": {
                    "id": tenant.pk,
                    "slug": tenant.slug,
                    "name": tenant.name,
                    "timezone": tenant.timezone,
                },
                "role": caller.role,
                "permissions": sorted(f"{app}.{verb}" for app, verbs in grants.items() for verb in verbs),
            }
        )
