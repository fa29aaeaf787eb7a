"""Words are written with what they tell of, by the thousand: their keys are told and not checked row by row."""

from django.db import migrations

TABLES = {"subscribers_subscriberword": "subscriber_id", "subscribers_premiseword": "premise_id"}

# A trigger a row ran as often as there are premises in a file; one a statement runs once.
WORDS_SQL = """
DROP TRIGGER write_words_of_changed ON subscribers_premise;
DROP TRIGGER write_words_of_new ON subscribers_premise;
DROP FUNCTION write_premise_words();

CREATE FUNCTION add_premise_words() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO subscribers_premiseword (id, tenant_id, premise_id, word, created_at, updated_at)
    SELECT uuidv7(), place.tenant_id, place.id, word, now(), now()
    FROM now_there AS place CROSS JOIN LATERAL unnest(place.address_words) AS word
    ON CONFLICT (tenant_id, word, premise_id) DO NOTHING;
    RETURN NULL;
END
$$;
CREATE FUNCTION drop_premise_words() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM subscribers_premiseword AS gone USING now_there AS place
    WHERE gone.tenant_id = place.tenant_id AND gone.premise_id = place.id
      AND NOT gone.word = ANY (place.address_words);
    RETURN NULL;
END
$$;
CREATE TRIGGER add_words_of_new AFTER INSERT ON subscribers_premise
REFERENCING NEW TABLE AS now_there FOR EACH STATEMENT EXECUTE FUNCTION add_premise_words();
CREATE TRIGGER drop_words_of_changed AFTER UPDATE ON subscribers_premise
REFERENCING NEW TABLE AS now_there FOR EACH STATEMENT EXECUTE FUNCTION drop_premise_words();
CREATE TRIGGER add_words_of_changed AFTER UPDATE ON subscribers_premise
REFERENCING NEW TABLE AS now_there FOR EACH STATEMENT EXECUTE FUNCTION add_premise_words();
"""


def leave_unchecked(apps, schema_editor):
    """Name the keys of the word tables without having each of their rows checked (PostgreSQL 18).

    The row a word belongs to is written by the same transaction, and removes its words when it goes.
    """
    with schema_editor.connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(
                "SELECT conname FROM pg_constraint WHERE conrelid = %s::regclass AND contype = 'f'", [table]
            )
            for (name,) in cursor.fetchall():
                cursor.execute(f'ALTER TABLE "{table}" ALTER CONSTRAINT "{name}" NOT ENFORCED')


class Migration(migrations.Migration):
    dependencies = [("subscribers", "0007_premise_words")]

    operations = [
        migrations.RunSQL(WORDS_SQL, migrations.RunSQL.noop),
        migrations.RunPython(leave_unchecked, migrations.RunPython.noop),
    ]
