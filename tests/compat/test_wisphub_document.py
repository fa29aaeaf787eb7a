"""WispHub's dialect holds what its own OpenAPI document says, whatever is sent."""

import pytest
import schemathesis
from django.core.wsgi import get_wsgi_application
from django.utils import timezone
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from ispcore.auth import access_tokens
from ispcore.tenants.context import tenant_context
from support.models import Subject
from tests.compat.homes import make_client

FUZZING = hypothesis_settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.mark.django_db(transaction=True)
def test_a_fuzzer_finds_no_fault(admin_user, tenant, settings):
    settings.RATE_LIMIT_PER_MINUTE = 1_000_000
    with tenant_context(tenant.pk):
        Subject.objects.create(name="No Tiene Internet")
        make_client()
    schema = schemathesis.openapi.from_wsgi("/compat/wisphub/openapi.json", get_wsgi_application())
    credential = {
        "Authorization": f"Bearer {access_tokens.mint(user_id=admin_user.pk, at=timezone.now())}",
        "Accept": "application/json",
        "Accept-Encoding": "identity",
    }

    def attack(case):
        if case.path == "/api/v1/auth/token":
            return
        response = case.call(headers=credential)
        case.validate_response(response, checks=CHECKS, headers=credential)

    fuzzed = 0
    for found in schema.get_all_operations():
        operation = found.ok()  # type: ignore[union-attr]
        taken = operation.definition.raw
        # What takes nothing cannot be given something wrong.
        modes = (
            GenerationMode if taken.get("parameters") or "requestBody" in taken else [GenerationMode.POSITIVE]
        )
        for mode in modes:
            FUZZING(given(operation.as_strategy(generation_mode=mode))(attack))()
        fuzzed += 1

    assert fuzzed == 18
