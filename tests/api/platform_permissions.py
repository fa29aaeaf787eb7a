"""Which role may do what at the platform's own routes: jobs, files, exports."""

PERMISSIONS = {
    ("get", "tasks"): "jobs.view",
    ("get", "tasks/{pk}"): "jobs.view",
    ("post", "tasks/{pk}/cancel"): "jobs.change",
    ("post", "exports"): "files.view",
    ("get", "files"): "files.view",
    ("get", "files/{pk}"): "files.view",
    ("get", "files/{pk}/content"): "files.view",
}
