"""What a variable that holds a URL may be; the errors quote nothing of it, as it may hold a password."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit


def http_url(url: str) -> str:
    """Accept an absolute http or https URL without credentials; return it without a trailing slash."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("is no absolute http:// or https:// URL")
    if parts.username or parts.password:
        raise ValueError("carries credentials, which would reach logs and traces")
    try:
        port = parts.port
    except ValueError:  # whose text quotes the port, which is a password's beginning in http://me:pass/word@host
        port = 0
    if port == 0:
        raise ValueError("has no port between 1 and 65535 behind its colon")
    return url.rstrip("/")


def events_transport(url: str) -> tuple[str, str]:
    """Accept what EVENTS_URL may be; return it, with the password that it carries."""
    if url.startswith(("http://", "https://")):
        return http_url(url), ""
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in ("amqp", "amqps") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address:
        raise ValueError("must be an http://, https://, amqp:// or amqps:// URL with a host")
    return url, unquote(parts.password or "")
