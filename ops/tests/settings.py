"""A service with nothing of its own, to test `ops` without products or orders."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, SecretStr

from ops import defaults
from ops.config import ServiceConfig


class PlainConfig(ServiceConfig):
    """The least a service adds."""

    service: ClassVar[str] = "plain-service"

    port: int = Field(3000, ge=1, le=65535)
    database_url: SecretStr = SecretStr("sqlite:////tmp/argos-ops-tests.sqlite3")


CONFIG = PlainConfig.load()

SECRET_KEY = CONFIG.secret_key.get_secret_value()
DEBUG = False
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
INSTALLED_APPS = defaults.INSTALLED_APPS
MIDDLEWARE = list(defaults.MIDDLEWARE)
ROOT_URLCONF = "ops.tests.urls"
WSGI_APPLICATION = "ops.tests.wsgi.application"
TEMPLATES = defaults.TEMPLATES
APPEND_SLASH = False
DATABASES = defaults.databases(CONFIG)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
TIME_ZONE = "UTC"
USE_TZ = True
AUTH_PASSWORD_VALIDATORS = defaults.AUTH_PASSWORD_VALIDATORS
STATIC_URL = "/static/"
STORAGES = defaults.storages(CONFIG)
WHITENOISE_USE_FINDERS = True
LOGGING_CONFIG = "ops.logs.configure"
LOGGING = defaults.logging(CONFIG)
REST_FRAMEWORK = defaults.rest_framework()
SPECTACULAR_SETTINGS = defaults.spectacular(CONFIG, title="Plain", description="A service for tests.")
DATA_UPLOAD_MAX_MEMORY_SIZE = CONFIG.request_max_bytes
CSRF_FAILURE_VIEW = "ops.problems.csrf_failure"
