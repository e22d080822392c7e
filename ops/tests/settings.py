"""A minimal service, to test `ops` without products or orders."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, SecretStr

from ops import settings as shared
from ops.config.service import ServiceConfig, database_default


class PlainConfig(ServiceConfig):
    """The configuration of the minimal service."""

    service: ClassVar[str] = "plain-service"

    port: int = Field(3000, ge=1, le=65535)
    database_url: SecretStr = database_default("/tmp/argos-ops-tests.sqlite3")


CONFIG = PlainConfig.load()

SECRET_KEY = CONFIG.secret_key.get_secret_value()
DEBUG = False
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
INSTALLED_APPS = shared.INSTALLED_APPS
MIDDLEWARE = list(shared.MIDDLEWARE)
API_PATHS = ("/echo",)
ROOT_URLCONF = "ops.tests.urls"
WSGI_APPLICATION = "ops.tests.wsgi.application"
TEMPLATES = shared.TEMPLATES
APPEND_SLASH = False
DATABASES = shared.databases(CONFIG)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
TIME_ZONE = "UTC"
USE_TZ = True
AUTH_PASSWORD_VALIDATORS = shared.AUTH_PASSWORD_VALIDATORS
AUTHENTICATION_BACKENDS = shared.AUTHENTICATION_BACKENDS
PASSWORD_HASHERS = shared.PASSWORD_HASHERS
AXES_LOCKOUT_PARAMETERS = ["ip_address"]
AXES_FAILURE_LIMIT = shared.LOGIN_FAILURES
AXES_COOLOFF_TIME = shared.LOGIN_PAUSE
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_RESET_ON_SUCCESS = True
AXES_LOCKOUT_CALLABLE = "ops.api.login.refuse"
AXES_DISABLE_ACCESS_LOG = True  # the log has each login
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False
STATIC_URL = "/static/"
STORAGES = shared.storages(CONFIG)
WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = True
LOGGING_CONFIG = "ops.telemetry.logs.configure"
LOGGING = shared.logging(CONFIG)
REST_FRAMEWORK = shared.rest_framework()
SCOPES = {"things:read": "read things", "things:write": "change things"}
SPECTACULAR_SETTINGS = shared.spectacular(CONFIG, title="Plain", description="A service for tests.")
DATA_UPLOAD_MAX_MEMORY_SIZE = CONFIG.request_max_bytes
CSRF_FAILURE_VIEW = "ops.api.problems.csrf_failure"
SILENCED_SYSTEM_CHECKS = ["axes.W002"]
