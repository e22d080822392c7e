"""Every setting of the orders service; the environment, not a file, differs between deploys."""

from __future__ import annotations

from ops import settings as shared
from orders_project.config import OrdersConfig

CONFIG = OrdersConfig.load()

SECRET_KEY = CONFIG.secret_key.get_secret_value()
SECRET_KEY_FALLBACKS = [key.get_secret_value() for key in CONFIG.secret_key_fallbacks]
DEBUG = False  # the log has tracebacks; error pages would show frame locals
ALLOWED_HOSTS = list(CONFIG.allowed_hosts)
CSRF_TRUSTED_ORIGINS = list(CONFIG.csrf_trusted_origins)
INSTALLED_APPS = [*shared.INSTALLED_APPS, "events.outbox", "orders_project.orders"]
MIDDLEWARE = list(shared.MIDDLEWARE)
API_PATHS = ("/orders",)  # clients without cookies do without the middleware for browsers
ROOT_URLCONF = "orders_project.urls"
WSGI_APPLICATION = "orders_project.wsgi.application"
TEMPLATES = shared.TEMPLATES
FORCE_SCRIPT_NAME = ""  # a service has its paths at the root; Django need not look for a prefix in each request
APPEND_SLASH = False  # its redirect loses a POST's body

DATABASES = shared.databases(CONFIG)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
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

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "/static/"
STATIC_ROOT = shared.static_root(CONFIG)
STORAGES = shared.storages(CONFIG)
WHITENOISE_USE_FINDERS = not CONFIG.is_production  # without collectstatic
WHITENOISE_AUTOREFRESH = not CONFIG.is_production  # finds a file when asked for it; a start reads none

LOGGING_CONFIG = "ops.telemetry.logs.configure"
LOGGING = shared.logging(CONFIG)

REST_FRAMEWORK = shared.rest_framework()
SCOPES = {
    "orders:write": "place orders",
    "orders:read:own": "read the orders that the client has placed",
    "orders:read": "read every order",
}  # of access tokens
SPECTACULAR_SETTINGS = shared.spectacular(CONFIG, title="Orders", description="Orders of products that exist.")
DATA_UPLOAD_MAX_MEMORY_SIZE = CONFIG.request_max_bytes

# Named, as browsers send the cookies of one port of a host to its other ports too.
SESSION_COOKIE_NAME = "orders_session"
CSRF_COOKIE_NAME = "orders_csrf"
CSRF_FAILURE_VIEW = "ops.api.problems.csrf_failure"
SECURE_PROXY_SSL_HEADER = shared.proxy_header(CONFIG)
SECURE_HSTS_SECONDS = 31_536_000 if CONFIG.is_production else 0
SESSION_COOKIE_SECURE = CONFIG.is_production
CSRF_COOKIE_SECURE = CONFIG.is_production
# TLS ends at the proxy, which redirects; and whether a whole domain is HTTPS only is for its owner to say.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W008", "security.W021"]
SILENCED_SYSTEM_CHECKS += ["axes.W002"]  # the path of the login alone has its middleware
