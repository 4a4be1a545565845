"""Google's error objects: status word, HTTP code, text, details (https://cloud.google.com/apis/design/errors)."""

import json
from typing import Any, Final

CODES: Final = {
    "INVALID_ARGUMENT": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "RESOURCE_EXHAUSTED": 429,
    "INTERNAL": 500,
    "UNAVAILABLE": 503,
}
TEXTS: Final = {
    "UNAUTHENTICATED": "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or "
    "other valid authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project.",
    "PERMISSION_DENIED": "The caller does not have permission",
    "NOT_FOUND": "Requested entity was not found.",
    "RESOURCE_EXHAUSTED": "Quota exceeded for quota metric 'Read requests' and limit 'Read requests per minute per "
    "user' of service 'sheets.googleapis.com' for consumer 'project_number:100000000001'.",
    "INTERNAL": "Internal error encountered.",
    "UNAVAILABLE": "The service is currently unavailable.",
}
UNREGISTERED: Final = (
    "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or other "
    "form of API consumer identity to call this API."
)
SCOPE: Final = "Request had insufficient authentication scopes."
DISABLED: Final = (
    "Google Sheets API has not been used in project 100000000001 before or it is disabled. Enable it by visiting "
    "https://console.developers.google.com/apis/api/sheets.googleapis.com/overview?project=100000000001 then retry. If "
    "you enabled this API recently, wait a few minutes for the action to propagate to our systems and retry."
)
_DOMAIN: Final = "googleapis.com"
_METADATA: Final = {"service": "sheets.googleapis.com"}


def google_error(status: str, message: str = "", *, reason: str = "") -> tuple[bytes, int]:
    """The body of an error and its HTTP status.

    Args:
        status: the canonical word, a key of ``CODES``.
        message: its text; the usual one of that status without.
        reason: of an ``ErrorInfo`` detail; none without.
    """
    error: dict[str, Any] = {"code": CODES[status], "message": message or TEXTS[status], "status": status}
    if reason:
        info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}
        error["details"] = [info | {"domain": _DOMAIN, "metadata": _METADATA}]
    return json.dumps({"error": error}, indent=2).encode(), CODES[status]
