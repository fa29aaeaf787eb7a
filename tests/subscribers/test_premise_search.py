"""Premises are found by the beginnings of the words of their address, through an index."""

import pytest
from django.db import connection

from subscribers.models import Premise, PremiseWord
from subscribers.services import catalogue
from tests.factories import PremiseFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("acting")]


def found(text: str) -> list[str]:
    rows = catalogue.search_premises(Premise.objects.order_by("address_line1"), text)
    return list(rows.values_list("address_line1", flat=True))


class TestSearch:
    def test_takes_words_in_any_order_case_and_accent(self) -> None:
        PremiseFactory(address_line1="12 Rua São João", city="Évora")
        PremiseFactory(address_line1="14 Rua Nova", city="Évora")

        assert found("evora joao") == ["12 Rua São João"]
        assert found("EVO rua") == ["12 Rua São João", "14 Rua Nova"]
        assert found("vora") == []
        assert found("!?") == []

    def test_follows_a_changed_address(self) -> None:
        premise = PremiseFactory(address_line1="1 Hill Road")

        catalogue.change_premise(premise_id=premise.pk, address_line1="1 Harbour Road")

        assert found("hill") == []
        assert found("harb") == ["1 Harbour Road"]

    def test_finds_what_was_written_in_bulk(self) -> None:
        Premise.objects.bulk_create(Premise(address_line1=f"{n} Quay") for n in range(3))

        assert found("quay") == ["0 Quay", "1 Quay", "2 Quay"]

    def test_forgets_a_removed_premise(self) -> None:
        premise = PremiseFactory(address_line1="1 Hill Road")

        catalogue.remove_premise(premise_id=premise.pk)

        assert not PremiseWord.objects.filter(premise_id=premise.pk).exists()

    def test_reads_words_by_their_index(self) -> None:
        Premise.objects.bulk_create(Premise(address_line1=f"Harbour{n}") for n in range(2000))
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE subscribers_premise, subscribers_premiseword")

        plan = catalogue.search_premises(Premise.objects.all(), "harbour199").explain()

        assert "premise_word_once" in plan
        assert "word ^@" in plan or "word >=" in plan
