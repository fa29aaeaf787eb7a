"""What WispHub's answers hold, as its documentation says."""

import json

FIELDS = {
    "service_id", "name", "document", "phone", "address", "city", "locality", "payment_status", "zone_id", "antenna_ip",
    "cut_off_date", "outstanding_balance", "lan_interface", "internet_plan_name", "internet_plan_price",
    "technician_id",
}  # fmt: skip
SHAPE = {"ok", "type", "action", "data", "message", "meta"}
NOBODY = {"ok": True, "type": "info", "action": "client_not_found", "data": None}


def kept(response, status=200):
    """Return the body, which has BackendResponse's six members always."""
    assert response.status_code == status, response.content
    body = response.json()
    assert set(body) == SHAPE
    return body


def outcome(response, status=200):
    body = kept(response, status)
    return body["ok"], body["type"], body["action"]


def listed(response):
    """Read a list, which is written as it is read."""
    assert response.status_code == 200
    return json.loads(response.getvalue())
