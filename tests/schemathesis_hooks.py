"""Hooks for schemathesis (see test_schemathesis.py): send the CSRF token of the session, as a browser does."""

from __future__ import annotations

import os
from typing import Any

import schemathesis


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: schemathesis.Case[Any], kwargs: dict[str, Any]) -> None:
    token = os.environ["CSRF_TOKEN"]
    case.cookies = {**(case.cookies or {}), os.environ["CSRF_COOKIE"]: token}
    case.headers["X-CSRFToken"] = token
