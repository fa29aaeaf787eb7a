"""Positions in feeds, which are numbers of the server's transactions, after a dump went to another server."""

from psycopg import sql

from ispcore.operations.backups.figures import Database

# Tables and the column that holds the number of the transaction which wrote the row.
NUMBERED = {"events_event": "xid", "subscribers_subscription": "changed_xid"}
# How far each reader was given them.
FORGET_READERS = (
    "UPDATE subscribers_snapshotcursor SET horizon = 0, line = '00000000-0000-0000-0000-000000000000'"
)
RENUMBERED = (
    "This server has counted fewer transactions than the one before: the positions in the feeds of events and of "
    "changed services begin anew, and readers get everything once more."
)


def renumber(database: Database) -> bool:
    """Give rows of the feeds numbers of this server, where theirs lie ahead of it. Safe to repeat.

    Readers are shown rows below the oldest transaction that still runs: rows with greater numbers would stay hidden,
    and what is new would lie behind who has read on, until this server has counted as far. Returns whether it did.
    """
    if not _lies_ahead(database):
        return False
    with database.transaction():
        for table, column in NUMBERED.items():
            names = {"table": sql.Identifier(table), "column": sql.Identifier(column)}
            # Without triggers: nobody has changed anything.
            database.execute(sql.SQL("ALTER TABLE {table} DISABLE TRIGGER USER").format(**names))
            database.execute(
                sql.SQL("UPDATE {table} SET {column} = pg_current_xact_id()::text::bigint").format(**names)
            )
            # Foreign keys that wait for the commit would forbid the next statement.
            database.execute("SET CONSTRAINTS ALL IMMEDIATE")
            database.execute(sql.SQL("ALTER TABLE {table} ENABLE TRIGGER USER").format(**names))
        database.execute(FORGET_READERS)
    return True


def _lies_ahead(database: Database) -> bool:
    for table, column in NUMBERED.items():
        row = database.execute(
            sql.SQL("SELECT max({}) >= pg_current_xact_id()::text::bigint FROM {}").format(
                sql.Identifier(column), sql.Identifier(table)
            )
        ).fetchone()
        if row is not None and row[0]:
            return True
    return False
