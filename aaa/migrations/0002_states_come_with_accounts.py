"""An account's state is written by a trigger in the statement that makes the account: its key is told, not checked.

Each row's check used a plan made when the session made its first account. What was best for one account reads all
of a provider's: the hundred thousandth of a transaction took a hundred times as long as the thousandth.
"""

from django.db import migrations

KEY = "ALTER TABLE aaa_accountstate ALTER CONSTRAINT aaa_accountstate_account_id_same_tenant"


class Migration(migrations.Migration):
    dependencies = [("aaa", "0001_initial")]

    operations = [migrations.RunSQL(f"{KEY} NOT ENFORCED", f"{KEY} ENFORCED")]
