"""A service with an outbox, an inbox and nothing else, to test `events` without products or orders."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, SecretStr

from events.config import EventsConfig
from ops import settings as shared
from ops.config.service import database_default


class ShopConfig(EventsConfig):
    """The least a service adds."""

    service: ClassVar[str] = "shop-service"

    port: int = Field(3000, ge=1, le=65535)
    database_url: SecretStr = database_default("var/events-tests.sqlite3")


CONFIG = ShopConfig.load()

SECRET_KEY = CONFIG.secret_key.get_secret_value()
DEBUG = False
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
INSTALLED_APPS = [*shared.INSTALLED_APPS, "events.outbox", "events.inbox"]
MIDDLEWARE = list(shared.MIDDLEWARE)
API_PATHS = ("/events",)
ROOT_URLCONF = "events.tests.urls"
TEMPLATES = shared.TEMPLATES
APPEND_SLASH = False
DATABASES = shared.databases(CONFIG)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
TIME_ZONE = "UTC"
USE_TZ = True
AUTH_PASSWORD_VALIDATORS = shared.AUTH_PASSWORD_VALIDATORS
STATIC_URL = "/static/"
STORAGES = shared.storages(CONFIG)
WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = True
LOGGING_CONFIG = "ops.telemetry.logs.configure"
LOGGING = shared.logging(CONFIG)
REST_FRAMEWORK = shared.rest_framework()
SCOPES = {"things:read": "read things", "things:write": "change things"}
SPECTACULAR_SETTINGS = shared.spectacular(CONFIG, title="Shop", description="A service for tests.")
DATA_UPLOAD_MAX_MEMORY_SIZE = CONFIG.request_max_bytes
CSRF_FAILURE_VIEW = "ops.api.problems.csrf_failure"
INBOX = {"argos.order.confirmed.v1": "events.tests.sold.count"}
