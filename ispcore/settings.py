"""Django settings, read from the environment (see .env.example for every name)."""

import os
import secrets
from pathlib import Path

import pghistory

from ispcore.admin.theme import UNFOLD as UNFOLD  # How the staff site looks stands beside the staff site.
from ispcore.environment import read_secret
from ispcore.postgresql.urls import read_database

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = Path(os.environ.get("ISP_DATA_DIR", BASE_DIR / ".run"))

DEBUG = os.environ.get("DEBUG") == "1"
# Commands such as makemigrations or mypy need settings but no secret: a random key then harms nobody,
# because nothing signed with it outlives the process. `check_roles` refuses to serve without a real one.
SECRET_KEY = read_secret("SECRET_KEY")
SECRET_KEY_IS_SET = bool(SECRET_KEY)
SECRET_KEY = SECRET_KEY or secrets.token_urlsafe(48)
FIELD_ENCRYPTION_KEYS = read_secret("FIELD_ENCRYPTION_KEYS")
RADIUS_SECRET_KEY = read_secret("RADIUS_SECRET_KEY")
# Where the workers of the queue `radius` send test log-ins.
RADIUS_SERVER = (os.environ.get("RADIUS_HOST") or "127.0.0.1", int(os.environ.get("RADIUS_PORT") or "1812"))
# Where browsers reach this installation: in links that are sent, and where gateways send payers back to.
PUBLIC_URL = os.environ.get("PUBLIC_URL", "http://127.0.0.1:8000").rstrip("/")
ALLOWED_HOSTS = os.environ.get("ALLOWED_HOSTS", "127.0.0.1,localhost,[::1]").split(",")
# The staff site answers under this name alone, when there is one; see ispcore.admin.host.
ADMIN_HOST = os.environ.get("ADMIN_HOST", "").strip().lower()
if ADMIN_HOST:
    ALLOWED_HOSTS.append(ADMIN_HOST)

INSTALLED_APPS = [
    "unfold",  # Before the admin, whose templates it replaces.
    "ispcore.admin.apps.StaffSiteConfig",
    "ispcore.tenants",
    "ispcore.auth",
    "ispcore.api",
    "ispcore.events",
    "ispcore.jobs",
    "ispcore.files",
    "ispcore.operations",
    "subscribers",
    "ipam",
    "hardware",
    "aaa",
    "billing",
    "support",
    "compat",
    "demo",
    "pghistory",
    "pgtrigger",
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "django_filters",
    "drf_standardized_errors",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "corsheaders",
    "django_prometheus",
]

MIDDLEWARE = [
    "ispcore.metrics.MetricsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "ispcore.headers.ContentSecurityMiddleware",
    "ispcore.api.middleware.RequestIdMiddleware",
    "ispcore.admin.host.AdminHostMiddleware",
    "django.middleware.gzip.GZipMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "ispcore.admin.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "ispcore.admin.middleware.AuthenticationMiddleware",
    "ispcore.admin.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "ispcore.jobs.middleware.WaitForJobMiddleware",
    "ispcore.tenants.middleware.TenantMiddleware",
]

ROOT_URLCONF = "ispcore.urls"
WSGI_APPLICATION = "ispcore.wsgi.application"
APPEND_SLASH = True
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
FILE_UPLOAD_HANDLERS = [
    "ispcore.api.parsers.BoundedUpload",
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "django.core.files.uploadhandler.TemporaryFileUploadHandler",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

_RUNTIME_URL = read_secret("DATABASE_URL", "postgres://isp_app@127.0.0.1:5432/isp")
DATABASES = {
    "default": read_database(_RUNTIME_URL),
    # Read-only, across tenants; asked for by name.
    "platform": read_database(read_secret("DATABASE_PLATFORM_URL", _RUNTIME_URL))
    | {"TEST": {"MIRROR": "default"}},
}
DATABASE_ROUTERS = ["ispcore.tenants.routers.OneSchema"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = read_secret("REDIS_URL", "redis://127.0.0.1:6379/0")

# How much of each queue's workers one tenant's jobs may take at once, and how many requests of one tenant's to the
# API a web process serves at once; docs/fairness.md says how they fit the workers and threads of the Procfile.
JOB_SLOTS = {"default": 2, "billing": 1, "network": 32, "radius": 2, "webhooks": 8} | {
    queue: int(slots)
    for queue, _, slots in (
        pair.partition("=") for pair in os.environ.get("JOB_SLOTS", "").split(",") if pair
    )
}
REQUESTS_PER_TENANT = int(os.environ.get("REQUESTS_PER_TENANT", "8"))

AUTH_USER_MODEL = "tenants.User"
AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend", "ispcore.auth.oidc.ProviderBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"
SESSION_ENGINE = "ispcore.auth.sessions"
# A log-in of staff ends when no page was asked for so long, and after so many hours in any case.
SESSION_IDLE_MINUTES = int(os.environ.get("SESSION_IDLE_MINUTES") or "120")
SESSION_HOURS = int(os.environ.get("SESSION_HOURS") or "24")
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"  # Strict would lose the state of an OIDC login on its way back.

# Whether browsers come by HTTPS. It ends at a proxy: ispcore.wsgi believes what the proxies named here say of a
# request's scheme and of its sender, and nobody else.
TRUSTED_PROXIES = [p.strip() for p in os.environ.get("TRUSTED_PROXIES", "").split(",") if p.strip()]
IS_HTTPS = PUBLIC_URL.startswith("https://") or os.environ.get("SECURE_COOKIES") == "1"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = IS_HTTPS
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL] if PUBLIC_URL.startswith("https://") else []
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if IS_HTTPS else 0
# Without a proxy to believe every request would look like plain HTTP, and the redirect would never end.
SECURE_SSL_REDIRECT = IS_HTTPS and bool(TRUSTED_PROXIES)
# Asked from within, of each machine by itself.
SECURE_REDIRECT_EXEMPT = [r"^(health|ready|metrics)/?$"]
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"

SILENCED_SYSTEM_CHECKS = [
    "security.W005",  # HSTS for all names below ours: a provider's domain has hosts that we know nothing of.
    "security.W021",  # And for browsers' built-in list, for the same reason.
    "urls.W002",  # /developers answers without a slash, so the patterns below it begin with one.
]

LANGUAGE_CODE = "en"
FORMAT_MODULE_PATH = ["ispcore.formats"]
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "/static/"
STATIC_ROOT = DATA_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "ispcore" / "admin" / "static", BASE_DIR / "ispcore" / "developers" / "static"]

REST_FRAMEWORK = {
    # The house's own classes are set on ispcore.api.views.ApiView: naming them here would import that
    # module while REST framework itself is loading. Whatever forgets to inherit is closed.
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAdminUser"],
    "DEFAULT_SCHEMA_CLASS": "ispcore.api.schema.EnvelopeSchema",
    "EXCEPTION_HANDLER": "ispcore.api.errors.handle",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
    "DATETIME_FORMAT": None,
    "UNAUTHENTICATED_USER": None,
    "URL_FORMAT_OVERRIDE": None,  # `?format=` is an unknown parameter like any other.
}
DRF_STANDARDIZED_ERRORS = {"ENABLE_IN_DEBUG_FOR_UNHANDLED_EXCEPTIONS": True}
SPECTACULAR_SETTINGS = {
    "TITLE": "ISPCore API",
    "DESCRIPTION": "Subscribers, network, RADIUS and billing of an internet provider. "
    "[A page per endpoint](/developers) has examples, fields, errors and workflows.",
    "VERSION": "v1",
    "OAS_VERSION": "3.1.0",
    "SCHEMA_PATH_PREFIX": r"/api/v1/",
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": [],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "GET_LIB_DOC_EXCLUDES": "ispcore.api.schema.base_classes",
    # Generated clients name their types after these: a name stays when another field gets the same choices.
    "ENUM_NAME_OVERRIDES": {
        "Role": "ispcore.tenants.roles.Role",
        "ApiKeyRole": "ispcore.auth.models.KEY_ROLES",
        "TaskStatus": "ispcore.jobs.models.JobStatus",
        "OltVendor": "hardware.models.Vendor",
        "SnmpVersion": "hardware.models.SnmpVersion",
        "OnuStatus": "hardware.models.OnuStatus",
        "OnuDownCause": "hardware.models.DownCause",
        "DiscoveryOutcome": "hardware.models.RunOutcome",
        "PonClass": "hardware.models.PonClass",
        "Signal": "hardware.models.Signal",
        "Telemetry": "hardware.selectors.Telemetry",
        "NasType": "aaa.models.NasType",
        "NasOctetsMode": "aaa.models.OctetsMode",
        "NasHealthVerdict": "aaa.selectors.Verdict",
        "MacLock": "aaa.models.MacLock",
        "OverCap": "aaa.models.OverCap",
        "CapPeriod": "aaa.models.CapPeriod",
        "Barred": "aaa.models.Barred",
        "SessionContext": "aaa.models.Context",
        "SessionEndedBy": "aaa.models.EndedBy",
        "RejectReason": "aaa.models.Reason",
        "UsageStep": "aaa.services.usage.STEPS",
        "VoucherState": "aaa.models.VoucherState",
        "TextBoolean": ("true", "false"),
        "WebhookDisabledReason": "ispcore.events.models.DisabledReason",
        "WebhookDeliveryStatus": "ispcore.events.models.DeliveryStatus",
        "TicketStatus": "support.models.TicketStatus",
        "TicketPriority": "support.models.Priority",
        "TicketSource": "support.models.Source",
        "LineTone": "support.services.portal.status.Tone",
        "OutageEnd": "support.models.OutageEnd",
        "NoticeKind": "support.models.NoticeKind",
        "NoticeStatus": "support.models.NoticeStatus",
        "NoticeWay": "support.models.Channel",
        "NoticePurpose": "support.models.Purpose",
        "MassMessageState": "support.models.MassState",
        "CreditVoucherState": "billing.models.CreditVoucherState",
        "DunningVerdict": "billing.services.dunning.tonight.Verdict",
        "DunningNightStatus": "billing.models.NightStatus",
        "PromiseStatus": "billing.models.PromiseStatus",
        "ReminderStatus": "billing.models.ReminderStatus",
        "SessionActionKind": "aaa.models.ActionKind",
        "SessionActionCause": "aaa.models.ActionCause",
        "SessionActionState": "aaa.models.ActionState",
        "SessionActionOutcome": "aaa.models.ActionOutcome",
        "OutageStatus": "hardware.models.OutageStatus",
        "OutageCause": "hardware.models.OutageCause",
        "ValueSource": "hardware.api.live.SOURCES",
        "PingVerdict": "hardware.services.ping.Verdict",
        "DiagnosisStepName": "support.services.diagnosis.StepName",
        "DiagnosisStatus": "support.services.diagnosis.StepStatus",
        "DiagnosisVerdict": "support.services.diagnosis.Cause",
        "DiagnosisActionCode": "support.services.diagnosis.ActionCode",
        "DiscoveryStatus": "hardware.api.discovery.DISCOVERY_STATUSES",
        "CliProtocol": "hardware.models.CliProtocol",
        "ProvisioningAction": "hardware.models.ProvisioningAction",
        "ProvisioningStatus": "hardware.models.ProvisioningStatus",
        "ProvisioningOutcome": "hardware.api.provisioning.OUTCOMES",
        "ProvisioningStepState": "hardware.models.StepState",
        "WaitingRefreshStatus": ["success"],
        "AddressState": "ipam.models.AddressState",
        "PoolKind": "ipam.models.PoolKind",
        "PoolPurpose": "ipam.models.Purpose",
        "AddressRunState": "ipam.services.mapping.RUN_STATES",
        "AddressImportFormat": "ipam.models.BookFormat",
        "AddressImportStatus": "ipam.models.BookStatus",
        "SeenIn": "ipam.models.SeenIn",
        "ReconciliationStatus": "ipam.models.ReconciliationStatus",
        "DriftKind": "ipam.models.DriftKind",
        "DriftRepair": "ipam.api.reconciliation.REPAIR_STATES",
        "DriftRepairAction": "ipam.api.reconciliation.REPAIRS",
        "InvoiceStatus": "billing.models.InvoiceStatus",
        "InvoiceKind": "billing.models.InvoiceKind",
        "InvoiceLineKind": "billing.models.LineKind",
        "BookingKind": "billing.models.TransferKind",
        "PaymentMethod": "billing.models.PaymentMethod",
        "MoneyMethod": "billing.models.payments.MONEY_METHODS",
        "PaymentStatus": "billing.models.PaymentStatus",
        "GatewayKind": "billing.models.GatewayKind",
        "CheckoutStatus": "billing.models.CheckoutStatus",
        "GatewayEventOutcome": "billing.models.EventOutcome",
        "BankStatementFormat": "billing.api.reconciliations.FORMATS",
        "BankStatementStatus": "billing.models.StatementStatus",
        "BankLineState": "billing.models.LineState",
        "BankMatchRule": "billing.models.MatchRule",
        "ChargeKind": "billing.models.ChargeKind",
        "BillingRunStatus": "billing.models.RunStatus",
        "BillingDifferenceKind": "billing.models.DifferenceKind",
        "ParkReason": "billing.models.ParkReason",
        "InvoiceMailStatus": "billing.models.MailStatus",
        "LedgerInvariant": "billing.models.LedgerInvariant",
        "ServiceStatus": "subscribers.models.ServiceStatus",
        "HoldReason": "subscribers.models.HoldReason",
        "PlanChangeState": "subscribers.api.lines.PLAN_CHANGE_STATES",
        "BulkMode": "ispcore.api.bulk.MODES",
        "BulkStatus": "ispcore.api.bulk.STATUSES",
        "BulkOperation": "ispcore.api.bulk.OPERATIONS",
        "AddressBulkOperation": "ipam.api.bulk.OPERATIONS",
        "BulkEffect": "subscribers.api.bulk.EFFECTS",
        "SubscriberBulkAction": "subscribers.api.bulk.SUBSCRIBER_ACTIONS",
        "ServiceBulkAction": "subscribers.api.bulk.SERVICE_ACTIONS",
        "PlanPeriod": "subscribers.models.Period",
        "BillingCycle": "subscribers.models.Cycle",
        "PaymentKind": "subscribers.models.PaymentKind",
        "SubscriberStatus": "subscribers.models.SubscriberStatus",
        "DocumentType": "subscribers.models.DocumentType",
        "ImportStatus": "subscribers.models.ImportStatus",
        "OnDuplicate": "subscribers.models.OnDuplicate",
        "ImportOutcome": ["created", "updated", "skipped", "bad"],
        "FileEncoding": "subscribers.services.imports.ENCODING_NAMES",
        "DuplicateRule": "subscribers.models.DuplicateRule",
        "CustomFieldKind": "subscribers.models.CustomFieldKind",
        "ExportFormat": "ispcore.files.api.FORMATS",
        "ExportList": "ispcore.files.api.LISTS",
        "TokenType": ["Bearer"],
        "GrantType": ["password", "refresh_token"],
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "ispcore.api.schema.add_house_components",
    ],
    "PREPROCESSING_HOOKS": ["ispcore.api.schema.drop_slashed_twins"],
}

# Access tokens of the local issuer and of one configured OpenID Connect issuer.
LOCAL_ISSUER = "urn:ispcore:local"
ACCESS_TOKEN_AUDIENCE = "urn:ispcore:api"  # noqa: S105  (a name)
ACCESS_TOKEN_SECONDS = 900
REFRESH_TOKEN_SECONDS = 30 * 24 * 3600
OIDC_ISSUER = os.environ.get("OIDC_ISSUER", "")
OIDC_JWKS_URL = os.environ.get("OIDC_JWKS_URL", "")
OIDC_API_AUDIENCE = os.environ.get("OIDC_API_AUDIENCE", ACCESS_TOKEN_AUDIENCE)
# Staff log-in at the same issuer, open when there is a client id. Names with RP, OP or USE in them are those of
# mozilla-django-oidc, whose defaults are weaker: no PKCE, HS256, no time limit.
OIDC_PROVIDER_NAME = os.environ.get("OIDC_PROVIDER_NAME", "single sign-on")
OIDC_RP_CLIENT_ID = os.environ.get("OIDC_CLIENT_ID", "")
OIDC_RP_CLIENT_SECRET = read_secret("OIDC_CLIENT_SECRET")
OIDC_RP_SCOPES = os.environ.get("OIDC_SCOPES", "openid email profile")
OIDC_RP_SIGN_ALGO = os.environ.get("OIDC_SIGNING_ALGORITHM", "RS256")
OIDC_OP_AUTHORIZATION_ENDPOINT = os.environ.get("OIDC_AUTHORIZATION_URL", "")
OIDC_OP_TOKEN_ENDPOINT = os.environ.get("OIDC_TOKEN_URL", "")
OIDC_OP_USER_ENDPOINT = os.environ.get("OIDC_USERINFO_URL", "")
OIDC_OP_JWKS_ENDPOINT = OIDC_JWKS_URL
OIDC_END_SESSION_URL = os.environ.get("OIDC_END_SESSION_URL", "")
OIDC_ROLES_CLAIM = os.environ.get("OIDC_ROLES_CLAIM", "")
OIDC_USE_PKCE = True
OIDC_TOKEN_USE_BASIC_AUTH = True
OIDC_TIMEOUT = 5
# Whether POST /api/v1/auth/token takes passwords; OAuth 2.1 has dropped that grant.
PASSWORD_GRANT = os.environ.get("PASSWORD_GRANT", "1") == "1"

CORS_ALLOWED_ORIGINS = [o for o in os.environ.get("CORS_ALLOWED_ORIGINS", "").split(",") if o]
CORS_URLS_REGEX = r"^/(api|compat)/"
CORS_ALLOW_HEADERS = [
    "accept", "authorization", "content-type", "if-match", "if-none-match", "prefer", "idempotency-key",
    "x-auth-token", "x-idempotency-key", "x-request-id", "x-tenant-id", "x-timezone",
]  # fmt: skip
CORS_EXPOSE_HEADERS = ["ETag", "Location", "Idempotency-Replayed", "RateLimit", "Retry-After", "X-Request-ID"]
# Where e-mails are handed in. Django's own names; without TLS only on the same machine.
EMAIL_HOST = os.environ.get("EMAIL_HOST", "127.0.0.1")
EMAIL_PORT = int(os.environ.get("EMAIL_PORT", "25"))
EMAIL_HOST_USER = os.environ.get("EMAIL_HOST_USER", "")
EMAIL_HOST_PASSWORD = read_secret("EMAIL_HOST_PASSWORD")
EMAIL_USE_TLS = os.environ.get("EMAIL_USE_TLS") == "1"
EMAIL_TIMEOUT = 20
# Or a folder that takes them instead, each as a file: `make run` without EMAIL_HOST sends nobody anything.
EMAIL_FILE_PATH = os.environ.get("EMAIL_FILE_PATH")
EMAIL_BACKEND = f"django.core.mail.backends.{'filebased' if EMAIL_FILE_PATH else 'smtp'}.EmailBackend"
DEFAULT_FROM_EMAIL = os.environ.get("DEFAULT_FROM_EMAIL", "billing@localhost")
STRIPE_API_BASE = os.environ.get("STRIPE_API_BASE", "https://api.stripe.com")
# Private networks in which a gateway for SMS may stand; others lead only to public addresses.
NOTICE_GATEWAY_NETWORKS = [n for n in os.environ.get("NOTICE_GATEWAY_NETWORKS", "").split(",") if n]
# Private networks in which receivers of webhooks may stand, on any port and without TLS.
WEBHOOK_NETWORKS = [n for n in os.environ.get("WEBHOOK_NETWORKS", "").split(",") if n]
# Where the mail of each tenant's helpdesk is delivered: a folder with a Maildir per tenant, named by its slug.
TICKET_MAILDIR = os.environ.get("TICKET_MAILDIR", "")
RATE_LIMIT_PER_MINUTE = int(os.environ.get("RATE_LIMIT_PER_MINUTE", "1200"))
METRICS_TOKEN = read_secret("METRICS_TOKEN")

PGHISTORY_BASE_MODEL = "ispcore.audit.TenantEventModel"
# Who and why stand in each history row itself: one table to isolate, no shared context rows across tenants.
PGHISTORY_CONTEXT_FIELD = pghistory.ContextJSONField()
# Their index begins with the tenant, like every other; see ispcore.audit.
PGHISTORY_OBJ_FIELD = pghistory.ObjForeignKey(related_name="history", db_index=False)
PGHISTORY_FOREIGN_KEY_FIELD = pghistory.ForeignKey(db_index=False)
PGHISTORY_MIDDLEWARE_METHODS = ()
SNMP_BACKEND = os.environ.get("SNMP_BACKEND", "gufo")


def _seconds(name: str, default: int, *, low: int, high: int) -> int:
    seconds = int(os.environ.get(name, default))
    if not low <= seconds <= high:
        raise ValueError(f"{name} must be {low} to {high} seconds, and is {seconds}.")
    return seconds


# Background polling of OLTs.
OLT_STATUS_SECONDS = _seconds("OLT_STATUS_SECONDS", 300, low=60, high=300)
OLT_OPTICS_SECONDS = _seconds("OLT_OPTICS_SECONDS", 1800, low=900, high=3600)
# ONUs of one port that go down within the window, so many and such a share of those online, are an outage.
OUTAGE_MIN_ONUS = 3
OUTAGE_MIN_SHARE = 0.5
OUTAGE_WINDOW_SECONDS = 600
# How long a live reading may take; the stored values answer sooner.
LIVE_DEADLINE_SECONDS = 5.0

LOGGING_CONFIG = "ispcore.logs.configure"
LOGGING = {"level": os.environ.get("LOG_LEVEL", "INFO"), "json": os.environ.get("LOG_FORMAT") == "json"}
