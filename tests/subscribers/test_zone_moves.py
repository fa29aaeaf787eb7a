"""Two moves, each fine by itself, that together would close a circle of zones."""

import threading
from typing import Any

import pytest
from django.db import connection

from ispcore.tenants.context import tenant_context
from subscribers.models import Zone
from tests.client import Api
from tests.factories import ZoneFactory


@pytest.mark.django_db(transaction=True)
def test_moves_at_once_never_close_a_circle(admin_user: Any, tenant: Any) -> None:
    with tenant_context(tenant.pk):
        one, two = ZoneFactory(), ZoneFactory()
    barrier = threading.Barrier(2)
    answers = []

    def move(zone: Zone, parent: Zone) -> None:
        api = Api(admin_user)
        barrier.wait()
        answers.append(api.patch(f"zones/{zone.pk}", {"parent_id": str(parent.pk)}).status_code)
        connection.close()

    threads = [threading.Thread(target=move, args=pair) for pair in ((one, two), (two, one))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(answers) == [200, 409]
    with tenant_context(tenant.pk):
        assert Zone.objects.filter(parent=None).count() == 1
