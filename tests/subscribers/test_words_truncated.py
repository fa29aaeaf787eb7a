"""Emptying tables that words belong to, after a vacuum has looked at the tables of words."""

import pytest
from django.core.management import call_command
from django.db import connection

from subscribers.models import PremiseWord
from tests.conftest import _as_owner


@pytest.mark.django_db(transaction=True)
def test_what_words_belong_to_is_truncated_with_them_after_a_vacuum() -> None:
    with _as_owner(), connection.cursor() as cursor:
        cursor.execute("VACUUM subscribers_subscriberword, subscribers_premiseword")

    call_command("flush", interactive=False, inhibit_post_migrate=True, reset_sequences=False, verbosity=0)

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relhastriggers FROM pg_class WHERE oid = %s::regclass", [PremiseWord._meta.db_table]
        )
        assert cursor.fetchone() == (True,)
