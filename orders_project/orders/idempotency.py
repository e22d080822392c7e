"""The identity of a request: the header Idempotency-Key and the payload.

https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/ requires a quoted string (RFC 8941,
section 3.3.3). Stripe's clients, and so most others, send the bare key. Both are the same key.
"""

from __future__ import annotations

import hashlib
import json
import re

from orders_project.orders.errors import IdempotencyKeyInvalid

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
# Without a comma: a server joins two headers by one, and two keys are none (RFC 9110, section 5.3).
BARE = r"[!#-+\--~](?:[ -+\--~]{0,253}[!-+\--~])?"
QUOTED = r'"(?:[ !#-\[\]-~]|\\["\\]){1,255}"'
PATTERN = f"^(?:{BARE}|{QUOTED})$"  # shown in the OpenAPI document

_WELL_FORMED = re.compile(f"{BARE}|{QUOTED}")
_ESCAPED = re.compile(r'\\(["\\])')


def read_key(header: str | None) -> str | None:
    """Return the key of the header, or None without a header; raise IdempotencyKeyInvalid."""
    if header is None:
        return None
    if not _WELL_FORMED.fullmatch(header):
        raise IdempotencyKeyInvalid
    return _ESCAPED.sub(r"\1", header[1:-1]) if header[0] == '"' else header


def payload_hash(*, product_id: int, quantity: int) -> str:
    """Return the fingerprint of a valid payload, equal for every spelling of the same JSON."""
    canonical = json.dumps({"productId": product_id, "quantity": quantity}, separators=(",", ":"), sort_keys=True)
    return hashlib.sha256(canonical.encode()).hexdigest()
