"""Which role may do what at the platform's own routes: keys, jobs, files, exports."""

PERMISSIONS = {
    ("get", "api-keys"): "ispauth.view",
    ("post", "api-keys"): "ispauth.add",
    ("get", "api-keys/{pk}"): "ispauth.view",
    ("post", "api-keys/{pk}/revoke"): "ispauth.change",
    ("get", "tasks"): "jobs.view",
    ("get", "tasks/{pk}"): "jobs.view",
    ("post", "tasks/{pk}/cancel"): "jobs.change",
    ("post", "exports"): "files.view",
    ("post", "tenant-export"): "tenants.view",
    ("get", "files"): "files.view",
    ("get", "files/{pk}"): "files.view",
    ("get", "files/{pk}/content"): "files.view",
}
# The jobs of the operations that need neither a record nor a body.
STARTED_BY_A_BARE_CALL = {
    "billing.plan_run": "billing.add",
    "billing.recount_ledger": "billing.add",
    "ispcore.files.export_tenant": "tenants.view",
}
