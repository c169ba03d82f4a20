"""Error bodies as the provider and the edges in front of it send them. Pure."""

from __future__ import annotations

from typing import Any

from hermes_diag.provider.answers import replies

#: The type of an error that the request itself is to blame for.
INVALID = "invalid_request_error"
#: (message, type, code) by status.
_WORDS: dict[int, tuple[str, str, str | None]] = {
    400: ("Invalid value: the request could not be processed.", INVALID, "invalid_value"),
    404: ("The model does not exist or you do not have access to it.", INVALID, "model_not_found"),
    408: ("The request timed out before it was complete.", "timeout", None),
    409: ("The resource was changed by another request.", "conflict_error", None),
    413: ("The request body is too large.", INVALID, "request_too_large"),
    429: ("Rate limit reached. Please try again later.", "requests", "rate_limit_exceeded"),
    500: ("The server had an error while processing your request.", "server_error", None),
    503: ("The server is temporarily unable to serve your request.", "service_unavailable_error", None),
    529: ("Our servers are currently overloaded. Please try again later.", "overloaded_error", "overloaded"),
}

CHALLENGE = b"""<!DOCTYPE html>
<html lang="en-US"><head><title>Just a moment...</title>
<meta http-equiv="refresh" content="390"></head>
<body><noscript>Enable JavaScript and cookies to continue</noscript></body></html>
"""

BAD_GATEWAY = b"""<html>
<head><title>502 Bad Gateway</title></head>
<body><center><h1>502 Bad Gateway</h1></center></body>
</html>
"""


def body(status: int) -> bytes:
    """The JSON body that goes with a status."""
    message, kind, code = _WORDS[status]
    return replies.error(message, kind, code=code)


def no_model() -> bytes:
    """For a model that is not known."""
    message, kind, code = _WORDS[404]
    return replies.error(message, kind, param="model", code=code)


def no_previous(previous: Any) -> bytes:
    """For a `previous_response_id` that is not known."""
    named = f" with id '{previous}'" if isinstance(previous, str) and len(previous) < 100 else ""
    message = f"Previous response{named} not found."
    return replies.error(message, INVALID, param="previous_response_id", code="previous_response_not_found")
