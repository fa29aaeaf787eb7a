"""Keep what words belong to truncatable together with the words, as Django's flush does.

PostgreSQL 18 counts a table among those truncated together only while it has a trigger. The keys of words, which
are not checked, have none, and a vacuum notices. A trigger on TRUNCATE costs nothing when rows are written.
"""

from django.db import migrations

TABLES = ("subscribers_subscriberword", "subscribers_premiseword")

FUNCTION_SQL = """
CREATE FUNCTION words_are_truncated() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RETURN NULL;
END
$$
"""


class Migration(migrations.Migration):
    dependencies = [("subscribers", "0009_fewer_keys_of_words")]

    operations = [
        migrations.RunSQL(FUNCTION_SQL, "DROP FUNCTION words_are_truncated()"),
        *(
            migrations.RunSQL(
                f'CREATE TRIGGER words_are_truncated AFTER TRUNCATE ON "{table}" '
                "FOR EACH STATEMENT EXECUTE FUNCTION words_are_truncated()",
                f'DROP TRIGGER words_are_truncated ON "{table}"',
            )
            for table in TABLES
        ),
    ]
