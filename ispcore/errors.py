"""What services raise when they refuse, and when the world did not answer."""

from typing import Any, ClassVar


class DomainError(Exception):
    """A refusal the caller can understand: 409 in the API, a message in the admin, quiet in tasks.

    Subclasses stand beside the function that raises them and set `code` and a `message` template whose
    names are the keyword arguments.
    """

    code: ClassVar[str] = "refused"
    message: ClassVar[str] = "The request was refused."
    status: ClassVar[int] = 409
    field: str | None = None  # A subclass' own, or one refusal's when the field depends on what was given.

    def __init__(self, **details: Any) -> None:
        self.details = details
        super().__init__(self.message.format(**details))


class NotRegistered(DomainError):
    """The thing named is not known to this tenant: answered as 404."""

    code = "not_found"
    status = 404


class RetryableError(DomainError):
    """The world did not answer; trying again later may work: answered as 503."""

    code = "dependency_unavailable"
    message = "Something this needs did not answer. Try again later."
    status = 503
