"""What becomes of rows: created, updated, skipped, bad; and that the check said so before."""

import pytest

from ispcore.jobs.models import Job, JobStatus
from subscribers.models import Import, ImportStatus, Subscriber, Subscription
from tests.factories import PlanFactory
from tests.subscribers.importing import check, counts, csv_of, errors, take_in, upload

pytestmark = pytest.mark.django_db


def test_a_checked_file_is_taken_in_with_services(acting):
    PlanFactory(code="FIBRE-100")
    content = csv_of(
        [
            ["Nome", "Telefone", "Morada", "Plano", "Estado do serviço"],
            ["Maria Santos", "+351 912 345 678", "Rua do Porto 12", "fibre-100", "ativo"],
            ["João Costa", "", "", "", ""],
            ["", "+351 912 345 679", "", "", ""],
        ]
    )

    of_import = check(upload(content), acting)

    assert Job.objects.get().status == JobStatus.SUCCEEDED, Job.objects.get().error_message
    assert (of_import.status, counts(of_import)) == (ImportStatus.CHECKED, (2, 0, 0, 1))
    assert errors(of_import) == [(4, "full_name", "Name: A name is needed.")]
    assert not Subscriber.objects.exists()

    take_in(of_import, acting)

    assert (of_import.status, counts(of_import)) == (ImportStatus.IMPORTED, (2, 0, 0, 1))
    maria, joao = Subscriber.objects.order_by("number")
    assert (maria.full_name, maria.phone_e164, maria.status) == ("Maria Santos", "+351912345678", "active")
    assert (joao.full_name, joao.status) == ("João Costa", "prospect")
    line = Subscription.objects.get()
    assert (line.subscriber, line.plan.code, line.status) == (maria, "FIBRE-100", "active")
    assert line.premise.address_line1 == "Rua do Porto 12"
    assert Import.objects.get().file is None
