"""Backups of a whole installation: a dump of one moment, with a manifest by which a restore is compared.

docs/backups.md is the operator's page; `manage.py backup` and `manage.py restore` are the doors.
"""


class BackupError(Exception):
    """Something the operator has to act on; the message says what and how."""
