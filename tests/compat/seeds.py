"""Every operation of the pages that the dialects speak: (verb, path below the dialect's base address)."""

OPERATIONS: dict[str, list[tuple[str, str]]] = {
    "interstellio": [
        ("GET", "v1/subscribers"),
        ("GET", "v1/subscriber/{subscriber_id}"),
        ("POST", "v1/subscriber"),
        ("PATCH", "v1/subscriber/{subscriber_id}"),
        ("DELETE", "v1/subscriber/{subscriber_id}"),
        ("GET", "v2/subscriber/status/{subscriber_id}"),
    ],
    "aex": [
        ("POST", "services"),
        ("PUT", "services/{service_id}"),
        ("GET", "services/snapshot"),
        ("GET", "services"),
        ("GET", "services/{service_id}/device/status"),
        ("GET", "services/{service_id}/device/status/live"),
        ("GET", "services/{service_id}/radius/status"),
        ("GET", "services/{service_id}/radius/usage"),
    ],
}
