"""The ways a credential is refused: 401, each with the challenge RFC 6750 §3 asks for."""

from ispcore.api.errors import ApiError


class NotAuthenticated(ApiError):
    """No credential, or one of a kind we do not know: the challenge then names no error (RFC 6750 §3.1)."""

    auth_header = "Bearer"

    def __init__(self, message: str) -> None:
        super().__init__(401, "not_authenticated", message)


class InvalidToken(ApiError):
    """A credential that is malformed, forged, revoked or not for us."""

    auth_header = 'Bearer error="invalid_token"'

    def __init__(self, message: str) -> None:
        super().__init__(401, "invalid_token", message)


class TokenExpired(ApiError):
    """A credential that was good once."""

    auth_header = 'Bearer error="invalid_token"'

    def __init__(self, message: str) -> None:
        super().__init__(401, "token_expired", message)


class OtpRefused(ApiError):
    """The password is right, and the code that the account asks for as well is missing or wrong."""

    auth_header = "Bearer"

    def __init__(self, code: str, message: str) -> None:
        super().__init__(401, code, message, field="otp")
