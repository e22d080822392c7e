"""The shared settings of services: each settings.py calls them, so that every setting is visible there."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import dj_database_url

from ops.config import role
from ops.config.role import Role
from ops.config.service import ROOT, ServiceConfig
from ops.telemetry import logs

logging = logs.logging_settings

LOST_PEER = {  # libpq's options: a peer without machine or network is detected within about ten seconds
    "tcp_user_timeout": 10_000,  # milliseconds that sent data may stay unacknowledged
    "keepalives": 1,
    "keepalives_idle": 10,  # seconds
    "keepalives_interval": 3,
    "keepalives_count": 3,
}
RECONNECT_TIMEOUT = 1.0  # seconds; then the next request reconnects, instead of a retry that may be minutes later

INSTALLED_APPS = [
    "ops",  # before staticfiles, as it replaces its runserver
    "ops.identity",
    "ops.api.apps.StrictAdminConfig",  # django.contrib.admin
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "axes",
]

FOR_BROWSERS = [  # cookies, forms, pages and their files; `ops.server.wsgi` serves the API to other clients without
    "django.middleware.security.SecurityMiddleware",
    "ops.api.page_policy.PagePolicyMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.common.CommonMiddleware",  # refuses a bad Host, sets Content-Length
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
MIDDLEWARE = [
    "ops.server.middleware.RequestMiddleware",
    "ops.telemetry.server_span.ServerSpanMiddleware",  # left out by Django where nothing is traced
    *FOR_BROWSERS,
    "ops.api.query.QueryMiddleware",  # refuses unknown parameters
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
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

AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
PASSWORD_HASHERS = ["ops.api.password_hashers.Argon2", "ops.api.password_hashers.PBKDF2"]
LOGIN_FAILURES = 10  # from one address, within LOGIN_PAUSE
LOGIN_PAUSE = timedelta(minutes=5)

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]


def databases(config: ServiceConfig, process: Role | None = None) -> dict[str, dict[str, Any]]:
    """Return DATABASES for a process, by default this one: measured and traced, with every wait bounded.

    A command takes its time, on one connection of its own, to the server itself: the bounds of a request would end a
    long statement, or a transaction that waits for its input. Only a wait for another transaction's lock stays bounded.
    """
    is_command = (process or role.current()) is Role.COMMAND
    url = (is_command and config.database_direct_url) or config.database_url
    database: dict[str, Any] = dict(dj_database_url.parse(url.get_secret_value()))
    if database["ENGINE"].endswith("sqlite3"):
        database["ENGINE"] = "ops.database.sqlite3"
        # Writers queue instead of failing with "database is locked"; readers do not wait for them. An answered write
        # survives a power cut, not only a kill.
        database["CONN_MAX_AGE"] = None
        database["OPTIONS"] = {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
        }
        # Django's default, repeated: in parallel runs, pytest-django sets it only for Django's own engine.
        database["TEST"] = {"NAME": ":memory:"}
        return {"default": database}
    from ops.database import session  # noqa: PLC0415 - SQLite does without psycopg
    from ops.database.connection import connection_class  # noqa: PLC0415 - likewise

    database["ENGINE"] = "ops.database.postgresql"
    database["CONN_MAX_AGE"] = 0  # the pool keeps the connections; a command's connection ends with it
    options = LOST_PEER | database.get("OPTIONS", {})
    options |= {"connect_timeout": config.database_connect_timeout, "application_name": config.service}
    database["OPTIONS"] = options
    if is_command:
        options["options"] = session.startup_options(session.command_settings())
        return {"default": database}
    options["pool"] = {
        "min_size": 1,
        "max_size": config.web_threads + 2,  # one for the readiness probe and a spare one
        "timeout": config.database_connect_timeout,
        "reconnect_timeout": RECONNECT_TIMEOUT,
        "connection_class": connection_class(config.database_statement_timeout),
    }
    if config.database_direct_url is None:
        options["prepare_threshold"] = 5  # psycopg's default; for prepared_cursor, as other cursors prepare nothing
        options["options"] = session.startup_options(session.request_settings(config.database_statement_timeout))
    else:  # a pooler: the role has the settings, see `manage.py migrate`, and a cursor is not the session's
        database["DISABLE_SERVER_SIDE_CURSORS"] = True
    return {"default": database}


def rest_framework() -> dict[str, Any]:
    """Return REST_FRAMEWORK."""
    return {
        "DEFAULT_RENDERER_CLASSES": ["ops.api.renderers.JSONRenderer", "ops.api.renderers.BrowsableAPIRenderer"],
        "DEFAULT_CONTENT_NEGOTIATION_CLASS": "ops.api.renderers.ContentNegotiation",
        "DEFAULT_PARSER_CLASSES": ["ops.api.parsers.JSONParser"],
        "DEFAULT_AUTHENTICATION_CLASSES": [
            "ops.api.authentication.BearerAuthentication",  # the first one: its challenge is that of a 401
            "ops.api.sessions.SessionAuthentication",
        ],
        "DEFAULT_PERMISSION_CLASSES": ["ops.api.permissions.IsStaff"],
        "DEFAULT_PAGINATION_CLASS": "ops.api.pagination.CursorPagination",
        "DEFAULT_SCHEMA_CLASS": "ops.api.openapi.ProblemSchema",
        "EXCEPTION_HANDLER": "ops.api.problems.exception_handler",
        "TEST_REQUEST_DEFAULT_FORMAT": "json",
        "URL_FORMAT_OVERRIDE": None,
    }


def spectacular(config: ServiceConfig, *, title: str, description: str) -> dict[str, Any]:
    """Return SPECTACULAR_SETTINGS: OpenAPI 3.1, Swagger UI from the image."""
    return {
        "TITLE": title,
        "DESCRIPTION": description,
        "VERSION": "1.0.0",  # of the contract; a release may leave it as it is
        "SERVERS": [{"url": "/", "description": "this service"}],
        "OAS_VERSION": "3.1.0",
        "SERVE_INCLUDE_SCHEMA": False,
        "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
        "SWAGGER_UI_DIST": "SIDECAR",
        "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
        "COMPONENT_SPLIT_REQUEST": True,
        "PREPROCESSING_HOOKS": [],
    }


def storages(config: ServiceConfig) -> dict[str, dict[str, str]]:
    """Return STORAGES: in production hashed and compressed files that `collectstatic` made at build."""
    name = "CompressedManifestStaticFilesStorage" if config.is_production else "CompressedStaticFilesStorage"
    return {
        "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
        "staticfiles": {"BACKEND": f"whitenoise.storage.{name}"},
    }


def static_root(config: ServiceConfig) -> str | None:
    """Return STATIC_ROOT, where an image's build collects static files; development finds them in their packages."""
    return str(ROOT / "static" / config.service) if config.is_production else None


def proxy_header(config: ServiceConfig) -> tuple[str, str] | None:
    """Return SECURE_PROXY_SSL_HEADER."""
    return ("HTTP_X_FORWARDED_PROTO", "https") if config.trust_forwarded_proto else None
