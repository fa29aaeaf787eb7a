"""The OpenAPI document says exactly what goes over the wire: enveloped bodies, errors, headers and roles."""

from http import HTTPStatus
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import get_lib_doc_excludes
from drf_spectacular.utils import OpenApiParameter

from ispcore.api.envelope import PlainRenderer
from ispcore.api.fields import HouseSerializer, StrictSerializer
from ispcore.tenants.roles import Role, roles_that_may

ERRORS = {
    "400": "Not JSON, a required field missing, an unknown query parameter, or no tenant chosen.",
    "401": "No credential, an invalid or an expired one.",
    "403": "The role does not allow it, or the tenant is not the caller's.",
    "404": "There is no such record, in the path or named in the body; another tenant's looks the same.",
    "405": "The verb is not known here.",
    "406": "Only application/json is spoken.",
    "409": "The business refuses; `code` says why.",
    "412": "`If-Match` names an older version.",
    "413": "The body is too large.",
    "415": "The body's content type is not known here.",
    "422": "A field is there but wrong; `fields` lists all of them.",
    "429": "Too many requests; `Retry-After` says when to come back.",
    "503": "A device, the broker or the database did not answer.",
}
ALWAYS = ("400", "401", "403", "406", "429", "503")
WRITES = ("404", "409", "413", "415", "422")
OF_TASKS = ("200", "404", "409", "422", "503")  # What a task that has ended may be answered with.

HEADER_PARAMETERS = {
    "X-Tenant-ID": "The tenant's slug or id; needed when the credential belongs to several.",
    "X-Timezone": "IANA zone in which times are written; UTC by default.",
    "X-Request-ID": "Your own id for this request: up to 64 letters, digits, dots, hyphens, underscores.",
}
IDEMPOTENCY = "Repeat with the same key and body: the stored answer is replayed. Kept for 24 hours."
IF_NONE_MATCH = "The ETag you have; 304 without a body while it is the present one."
IF_MATCH = "The ETag you read; 412 when the record has changed since."
PREFER = "`wait=N` seconds for the result (at most 60), or `respond-async` for the task at once."

RESPONSE_HEADERS = {
    "X-Request-ID": "The id of this request, also in `meta` and in the logs.",
    "RateLimit": "Calls left now, and seconds until the limit is whole again.",
    "RateLimit-Policy": "The limit: calls, and the seconds they are for.",
    "ETag": "The record's version, for `If-Match` and `If-None-Match`.",
    "Location": "Where the record or the task is.",
    "Idempotency-Replayed": "`true` when this is the stored answer of an earlier request.",
    "Retry-After": "Seconds to wait before the next try.",
    "WWW-Authenticate": "The kind of credential wanted (RFC 6750).",
}

# Which of them no answer with these statuses is without; WWW-Authenticate where a credential is wanted at all.
SURE_HEADERS: dict[str, tuple[str, ...]] = {
    "X-Request-ID": ("200", "201", "202", "204", "304", *ERRORS),
    "Retry-After": ("429",),
    "WWW-Authenticate": ("401",),
}

PAGINATION_SCHEMA = {
    "type": "object",
    "description": "By number: all of these. By cursor: page_size, count, next and previous.",
    "properties": {
        "page": {"type": "integer"},
        "page_size": {"type": "integer"},
        "count": {"type": "integer", "description": "Records in this answer."},
        "total": {"type": "integer"},
        "total_is_estimate": {"type": "boolean", "description": "True above 10,000 unless `total=exact`."},
        "pages": {"type": "integer"},
        "cursor": {"type": "string", "description": "Feeds: where the next call may go on."},
        "next": {"type": ["string", "null"], "format": "uri"},
        "previous": {"type": ["string", "null"], "format": "uri"},
    },
    "required": ["page_size", "count", "next", "previous"],
}
META_SCHEMA = {
    "type": "object",
    "properties": {
        "request_id": {"type": "string", "description": "Also in the X-Request-ID header and the logs."},
        "api_version": {"const": "v1"},
        "pagination": {"$ref": "#/components/schemas/Pagination"},
    },
    "required": ["request_id", "api_version"],
}
LIST_META_SCHEMA = {
    "allOf": [{"$ref": "#/components/schemas/Meta"}],
    "required": ["request_id", "api_version", "pagination"],
}
ERROR_SCHEMA = {
    "type": "object",
    "properties": {
        "success": {"const": False},
        "error": {
            "type": "object",
            "properties": {
                "code": {"type": "string", "examples": ["validation_error"]},
                "message": {"type": "string"},
                "field": {"type": "string"},
                "fields": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {
                            "field": {"type": "string"},
                            "code": {"type": "string"},
                            "message": {"type": "string"},
                        },
                        "required": ["field", "code", "message"],
                    },
                },
            },
            "required": ["code", "message"],
        },
        "meta": {"$ref": "#/components/schemas/Meta"},
    },
    "required": ["success", "error", "meta"],
}


class EnvelopeSchema(AutoSchema):
    """Describe an operation of the house."""

    def get_tags(self) -> list[str]:
        parts = self.path.removeprefix("/api/v1/").split("/")
        return [parts[0] or "platform"]

    def get_description(self) -> str:  # type: ignore[override]
        """Append the roles that may, straight from the role table."""
        text: str = super().get_description()
        roles = self._roles()
        if roles is None:
            return text
        names = ", ".join(role.label for role in roles) or "none"
        return f"{text}\n\n**Roles:** {names}."

    def get_summary(self) -> str:
        """Name the operation in a line: the documentation pages list nothing else."""
        model, action = getattr(self.view, "model", None), getattr(self.view, "action", None)
        if model and action == "list":
            return f"List {model._meta.verbose_name_plural}"
        if model and action == "retrieve":
            return f"Show one {model._meta.verbose_name}"
        description: str = super().get_description()
        return description.partition("\n")[0].partition(". ")[0].rstrip(".")

    def get_extensions(self) -> dict[str, Any]:
        roles = self._roles()
        return {"x-roles": [role.value for role in roles]} if roles is not None else {}

    def get_override_parameters(self) -> list[Any]:
        if self._is_bare():
            return [_header("X-Request-ID", HEADER_PARAMETERS["X-Request-ID"])]
        parameters = [_header(name, text) for name, text in HEADER_PARAMETERS.items()]
        if self.method == "POST":
            parameters.append(_header("X-Idempotency-Key", IDEMPOTENCY))
        if self._may_be_a_task():
            parameters.append(_header("Prefer", PREFER))
        if self._shows_one_record():
            parameters.append(_header("If-None-Match", IF_NONE_MATCH))
        if self.method in ("PUT", "PATCH", "DELETE"):
            parameters.append(_header("If-Match", IF_MATCH))
        return parameters

    def _get_response_bodies(self, direction: Any = "response") -> dict[str, Any]:
        bodies: dict[str, Any] = super()._get_response_bodies(direction)
        if not self._is_bare():
            for body in bodies.values():
                self._wrap(body)
        if self._shows_one_record():
            bodies["304"] = {"description": "Unchanged since the version named in `If-None-Match`."}
        for status in self._error_statuses():
            bodies.setdefault(status, _error_body(status))
        for status, body in bodies.items():
            sure = SURE_HEADERS | ({} if self.view.authentication_classes else {"WWW-Authenticate": ()})
            body["headers"] = {
                name: _described_header(name, is_sure=status in sure.get(name, ()))
                for name in self._headers_of(status)
            }
        return dict(sorted(bodies.items()))

    def _headers_of(self, status: str) -> list[str]:
        names = ["X-Request-ID"]
        if not self._is_bare() and (status < "400" or status == "429"):
            names += ["RateLimit", "RateLimit-Policy"]
        if status == "304" or (status in ("200", "201") and self._has_versions()):
            names.append("ETag")
        if status in ("201", "202") or (status in OF_TASKS and self._may_be_a_task()):
            names.append("Location")
        if self.method == "POST" and status < "300" and not self._is_bare():
            names.append("Idempotency-Replayed")
        if status in ("429", "503"):
            names.append("Retry-After")
        if status == "401":
            names.append("WWW-Authenticate")
        return names

    def _wrap(self, body: dict[str, Any]) -> None:
        for media_type, media in body.get("content", {}).items():
            if media_type != "application/json":
                continue  # A file goes out as it is.
            data = media["schema"]
            meta = "Meta"
            if self._is_list_view() and data.get("$ref", "").startswith("#/components/schemas/Paginated"):
                data, meta = self._unpaginate(data), "ListMeta"
            media["schema"] = {
                "type": "object",
                "properties": {
                    "success": {"const": True},
                    "data": data,
                    "meta": {"$ref": f"#/components/schemas/{meta}"},
                },
                "required": ["success", "data", "meta"],
            }

    def _unpaginate(self, reference: dict[str, Any]) -> dict[str, Any]:
        """Take the rows out of the framework's page object: ours carries the page in `meta`."""
        name = reference["$ref"].rsplit("/", 1)[-1]
        item = name.removeprefix("Paginated").removesuffix("List")
        return {"type": "array", "items": {"$ref": f"#/components/schemas/{item}"}}

    def _error_statuses(self) -> list[str]:
        statuses = [*ALWAYS]
        if "{" in self.path:
            statuses.append("404")
        if self._is_list_view():
            statuses += ["404", "422"]  # A page past the end; a filter's value that is none.
        if self.method not in ("GET", "HEAD"):
            statuses += WRITES
        if self.method in ("PUT", "PATCH", "DELETE"):
            statuses.append("412")
        if self._may_be_a_task():
            statuses.append("404")
        statuses += getattr(self.view, "more_errors", ())
        return sorted(set(statuses))

    def _roles(self) -> list[Role] | None:
        app_label = getattr(self.view, "app_label", None)
        if app_label is None or not hasattr(self.view, "verb") or not self.view.permission_classes:
            return None
        return roles_that_may(app_label, self.view.verb())

    def _has_versions(self) -> bool:
        if getattr(self.view, "action", None) in ("retrieve", "create", "update", "partial_update"):
            return True
        stated: bool | None = getattr(self.view, "answers_with_record", None)
        return self._shows_the_record() if stated is None else stated

    def _shows_the_record(self) -> bool:
        """Tell whether an action of one record answers as GET of it does."""
        if not getattr(self.view, "detail", False):
            return False
        shown = self.get_response_serializers()
        if isinstance(shown, dict):
            shown = shown.get(200)
        kind = shown if isinstance(shown, type) else type(shown)
        usual: type = self.view.get_serializer_class()  # type: ignore[attr-defined]
        return issubclass(kind, usual)

    def _shows_one_record(self) -> bool:
        return getattr(self.view, "action", None) == "retrieve"

    def _may_be_a_task(self) -> bool:
        answers = self.get_response_serializers()
        return isinstance(answers, dict) and 202 in answers

    def _is_bare(self) -> bool:
        return PlainRenderer in getattr(self.view, "renderer_classes", ())

    def _map_basic_serializer(self, serializer: Any, direction: Any) -> Any:
        """Say that a strict serializer takes no other names, and that an answer has all of its own."""
        schema = super()._map_basic_serializer(serializer, direction)  # type: ignore[no-untyped-call]
        if direction == "request" and isinstance(serializer, StrictSerializer):
            schema["additionalProperties"] = False
        if direction == "response" and schema.get("properties"):
            schema["required"] = sorted(schema["properties"])
        return schema


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "ispcore.api.views.CallerAuthentication"
    name = "bearer"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "An access token of the identity provider or of `POST /api/v1/auth/token`, or an API key.",
        }


def base_classes() -> list[type]:
    """Name the classes whose own documentation is for programmers and not for the document."""
    return [*get_lib_doc_excludes(), StrictSerializer, HouseSerializer]  # type: ignore[no-untyped-call]


def add_house_components(
    result: dict[str, Any], generator: Any, request: Any, public: bool
) -> dict[str, Any]:
    """Put the shapes every operation shares beside the others, and drop pages nobody refers to."""
    schemas = result["components"]["schemas"]
    for name in [name for name in schemas if name.startswith("Paginated")]:
        del schemas[name]
    schemas |= {
        "Meta": META_SCHEMA,
        "ListMeta": LIST_META_SCHEMA,
        "Pagination": PAGINATION_SCHEMA,
        "ErrorEnvelope": ERROR_SCHEMA,
    }
    result["components"]["responses"] = _share_refusals(result["paths"])
    return result


def _share_refusals(paths: dict[str, Any]) -> dict[str, Any]:
    """Name each different refusal once; return them by their names, which the operations then refer to.

    Written out at every operation they were two thirds of the document.
    """
    shared: dict[str, Any] = {}
    for verbs in paths.values():
        for operation in verbs.values():
            for status, answer in operation["responses"].items():
                if status < "400":
                    continue
                name = HTTPStatus(int(status)).phrase.title().replace(" ", "")
                if "Location" in answer["headers"]:
                    name += "OfTask"
                if shared.setdefault(name, answer) != answer:
                    name += "WithoutCredential"  # Where no token is wanted some headers are not there.
                    assert shared.setdefault(name, answer) == answer
                operation["responses"][status] = {"$ref": f"#/components/responses/{name}"}
    return shared


def drop_slashed_twins(endpoints: list[Any], **kwargs: Any) -> list[Any]:
    """Every route answers with and without a slash; the document shows it once, without."""
    return [(path.removesuffix("/?").rstrip("/"), *rest) for path, *rest in endpoints]


def _header(name: str, description: str) -> OpenApiParameter:
    return OpenApiParameter(name, str, OpenApiParameter.HEADER, description=description)


def _described_header(name: str, *, is_sure: bool) -> dict[str, Any]:
    header: dict[str, Any] = {"schema": {"type": "string"}, "description": RESPONSE_HEADERS[name]}
    return {**header, "required": True} if is_sure else header


def _error_body(status: str) -> dict[str, Any]:
    return {
        "description": ERRORS[status],
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorEnvelope"}}},
    }
