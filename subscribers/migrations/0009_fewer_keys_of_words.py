"""Words are found by what they say and by whose they are: a further key of each would only be written."""

from django.db import migrations

TABLES = ("subscribers_subscriberword", "subscribers_premiseword")

# Nobody refers to a word, so nothing needs the key that other tables of a tenant are referred to by.
WITHOUT = [f'ALTER TABLE "{table}" DROP CONSTRAINT "{table}_tenant_key"' for table in TABLES]
WITH = [
    f'ALTER TABLE "{table}" ADD CONSTRAINT "{table}_tenant_key" UNIQUE (tenant_id, id)' for table in TABLES
]

# A new premise has no words yet, which `ON CONFLICT` would look for one by one.
WORDS_SQL = """
CREATE FUNCTION write_words_of_new_premises() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO subscribers_premiseword (id, tenant_id, premise_id, word, created_at, updated_at)
    SELECT uuidv7(), place.tenant_id, place.id, word, now(), now()
    FROM now_there AS place CROSS JOIN LATERAL unnest(place.address_words) AS word;
    RETURN NULL;
END
$$;
DROP TRIGGER add_words_of_new ON subscribers_premise;
CREATE TRIGGER add_words_of_new AFTER INSERT ON subscribers_premise
REFERENCING NEW TABLE AS now_there FOR EACH STATEMENT EXECUTE FUNCTION write_words_of_new_premises();
"""
BEFORE_SQL = """
DROP TRIGGER add_words_of_new ON subscribers_premise;
DROP FUNCTION write_words_of_new_premises();
CREATE TRIGGER add_words_of_new AFTER INSERT ON subscribers_premise
REFERENCING NEW TABLE AS now_there FOR EACH STATEMENT EXECUTE FUNCTION add_premise_words();
"""


class Migration(migrations.Migration):
    dependencies = [("subscribers", "0008_words_by_statement")]

    operations = [migrations.RunSQL(WITHOUT, WITH), migrations.RunSQL(WORDS_SQL, BEFORE_SQL)]
