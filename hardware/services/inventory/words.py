def clean(text: str | None, length: int) -> str:
    """Cut to the column's length and drop NUL, which PostgreSQL cannot store."""
    return (text or "").replace("\x00", "")[:length]
