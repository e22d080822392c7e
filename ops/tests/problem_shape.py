"""The shape of every error (RFC 9457), asserted for all errors, also in the whole-system tests."""

from __future__ import annotations

import json
from typing import Any

from ops.api.problems import reason_phrase

CONTENT_TYPE = "application/problem+json"
MEMBERS = {"type", "title", "status", "detail", "code", "traceId", "requestId"}
LEAKS = ("traceback", 'file "', "select ", "insert ", "sqlite", "psycopg", "django", "gunicorn", "site-packages")


def check_problem(
    body: bytes, content_type: str | None, status: int, code: str, *, members: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Assert that the body is a problem of this status and code without internal details; return it.

    `members` are those that this problem has beside the usual ones.
    """
    assert content_type == CONTENT_TYPE
    document: dict[str, Any] = json.loads(body)
    assert (document["status"], document["code"]) == (status, code)
    assert set(document) == MEMBERS | ({"errors"} if code == "validation_error" else set()) | set(members)
    assert document["type"] == "about:blank"
    assert document["title"] == reason_phrase(status)
    assert document["detail"]
    assert document["requestId"]
    for error in document.get("errors", []):
        assert set(error) == {"field", "code", "detail"}
        assert all(error.values())
    assert [leak for leak in LEAKS if leak in body.decode().lower()] == []
    return document


def assert_problem(
    response: Any, status: int, code: str, *, fields: list[str] | None = None, members: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Assert that a test client's response is this problem, with errors for exactly these fields; return it."""
    assert response.status_code == status, response.content
    document = check_problem(response.content, response.headers.get("Content-Type"), status, code, members=members)
    assert document["requestId"] == response.headers["X-Request-ID"]
    if fields is not None:
        assert sorted(error["field"] for error in document["errors"]) == sorted(fields)
    return document
