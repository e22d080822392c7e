"""The same two services, assembled as in the quick starts of their packages; BASELINE selects one.

They use Django, Django REST framework, django-structlog, django-prometheus and OpenTelemetry as their documentation
starts, with Argos' settings of the database and the server. They read the tables that Argos migrated.
"""

from __future__ import annotations

import os
from typing import Any

import structlog

from ops.settings import databases
from orders_project.config import OrdersConfig
from products_project.config import ProductsConfig

SERVICE = os.environ["BASELINE"]
CONFIG = OrdersConfig.load() if SERVICE == "orders" else ProductsConfig.load()

SECRET_KEY = CONFIG.secret_key.get_secret_value()
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = f"bench.baseline.{SERVICE}"
WSGI_APPLICATION = "bench.baseline.wsgi.application"
DATABASES: dict[str, Any] = databases(CONFIG)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"

# https://docs.djangoproject.com/en/5.2/ref/settings/ and https://www.django-rest-framework.org/tutorial/quickstart/
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "rest_framework",
    "django_prometheus",  # https://github.com/django-commons/django-prometheus#quickstart
    "django_structlog",  # https://django-structlog.readthedocs.io/en/latest/getting_started.html
]
MIDDLEWARE = [
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_structlog.middlewares.RequestMiddleware",
    "django_prometheus.middleware.PrometheusAfterMiddleware",
]
REST_FRAMEWORK = {"UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser"}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "json_formatter": {
            "()": structlog.stdlib.ProcessorFormatter,
            "processor": structlog.processors.JSONRenderer(),
        }
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "json_formatter"}},
    "loggers": {"django_structlog": {"handlers": ["console"], "level": "INFO"}},
}
structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.filter_by_level,
        structlog.processors.TimeStamper(fmt="iso"),
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        structlog.processors.UnicodeDecoder(),
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
    ],
    logger_factory=structlog.stdlib.LoggerFactory(),
    cache_logger_on_first_use=True,
)
