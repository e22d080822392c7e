"""System checks of what Argos promises; their ids are stable and documented in docs/operations/reference.md."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.apps import AppConfig, apps
from django.conf import settings
from django.core.checks import WARNING, CheckMessage, Error, register, run_checks

MIDDLEWARE = "ops.server.middleware.RequestMiddleware"
ENGINES = ("ops.database.postgresql", "ops.database.sqlite3")
EXCEPTION_HANDLER = "ops.api.problems.exception_handler"


@register()
def check_settings(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Check the settings that a careless edit would break silently."""
    return list(_broken_settings())


def _broken_settings() -> Iterator[CheckMessage]:
    if settings.MIDDLEWARE[:1] != [MIDDLEWARE]:
        hint = "What stands before it is neither logged nor counted."
        yield Error(f"MIDDLEWARE must begin with {MIDDLEWARE}.", hint, id="ops.E001")
    if settings.REST_FRAMEWORK.get("EXCEPTION_HANDLER") != EXCEPTION_HANDLER:
        hint = "Errors would not be problem+json."
        yield Error(f"REST_FRAMEWORK['EXCEPTION_HANDLER'] must be {EXCEPTION_HANDLER}.", hint, id="ops.E002")
    if settings.APPEND_SLASH:
        yield Error("APPEND_SLASH must be False.", "It redirects a POST and loses its body.", id="ops.E003")
    if settings.DATABASES["default"]["ENGINE"] not in ENGINES:
        hint = "With another one a restarted database gives 500s, or queries are not measured."
        yield Error(f"DATABASES['default'] needs one of the engines {', '.join(ENGINES)}.", hint, id="ops.E004")
    if settings.DEBUG:
        hint = "Its pages show settings and frame locals, and no problem+json."
        yield Error("DEBUG must be False.", hint, id="ops.E005")


def django_findings(*, deploy: bool) -> Iterator[tuple[str, int, str]]:
    """Yield id, level and text of what Django's system checks find, from warnings on; silenced ones stay silent."""
    apps.check_apps_ready()
    for message in run_checks(include_deployment_checks=deploy):
        if message.level >= WARNING and not message.is_silenced():
            text = f"{message.obj}: {message.msg}" if message.obj else message.msg
            yield message.id or type(message).__name__, message.level, text
