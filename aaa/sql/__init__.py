"""The functions FreeRADIUS calls, one file per function, and the migration operation that puts them into a database.

To change one: edit its file, then add a migration whose only operation is `LoadFunctions("…")` with the digest that
the failing test in tests/aaa/test_functions.py names.
"""

import hashlib
from pathlib import Path
from typing import Any

from django.db.migrations.operations.base import Operation

FOLDER = Path(__file__).parent
# In the order of loading: what is called stands before who calls it.
FILES = (
    "words", "open", "client", "authorize", "post_auth", "log_in", "advance", "usage", "sessions", "accounting",
    "partitions", "sweeps",
)  # fmt: skip
# Whoever is not named here may call none of them.
CALLERS = {
    "isp_radius": ("aaa_client", "aaa_authorize", "aaa_post_auth", "aaa_log_in", "aaa_accounting"),
    "isp_app": ("aaa_make_partition", "aaa_drop_partitions", "aaa_close_stale", "aaa_move_closed"),
}
DROP = """
DO $$
DECLARE f regprocedure;
BEGIN
    FOR f IN SELECT oid FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND proname ^@ 'aaa_' LOOP
        EXECUTE 'DROP FUNCTION ' || f;
    END LOOP;
END $$
"""
CLOSE = """
DO $$
DECLARE f regprocedure;
BEGIN
    FOR f IN SELECT oid FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND proname ^@ 'aaa_' LOOP
        EXECUTE 'REVOKE ALL ON FUNCTION ' || f || ' FROM PUBLIC';
    END LOOP;
END $$
"""


def texts() -> list[str]:
    """Return the files' contents in the order of loading."""
    return [(FOLDER / f"{name}.sql").read_text() for name in FILES]


def digest() -> str:
    """Return the SHA-256 of all files and of who may call what, in hexadecimal."""
    return hashlib.sha256("\0".join([*texts(), repr(CALLERS)]).encode()).hexdigest()


class LoadFunctions(Operation):
    """Replace all functions of the packet path by those in the files, and say who may call them.

    One transaction: a packet meets the old ones or the new ones. The files describe the newest tables, so an older
    migration that runs them early loads bodies PostgreSQL looks into only when they are called.
    """

    reversible = True
    reduces_to_sql = False

    def __init__(self, digest: str) -> None:
        self.digest = digest

    def state_forwards(self, app_label: str, state: Any) -> None:
        """Django's picture of the tables does not change."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        schema_editor.execute(DROP)
        for text in texts():
            schema_editor.execute(text, params=None)
        schema_editor.execute(CLOSE)
        for role, names in CALLERS.items():
            for name in names:
                schema_editor.execute(f"GRANT EXECUTE ON FUNCTION {name} TO {role}")

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        """Leave the functions: those of before are not kept."""

    def deconstruct(self) -> Any:
        return self.__class__.__name__, [self.digest], {}

    def describe(self) -> str:
        return "Load the functions of the packet path"
