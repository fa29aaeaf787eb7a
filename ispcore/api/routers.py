from rest_framework.routers import SimpleRouter


class HouseRouter(SimpleRouter):
    """Every route answers with and without a trailing slash, without a redirect."""

    def __init__(self) -> None:
        super().__init__(trailing_slash=False)
        self.trailing_slash = "/?"
