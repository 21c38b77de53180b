"""Who may see and change what: the token, the headers of every answer, and proof that a form was ours."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Coroutine, Mapping
from typing import Any
from urllib.parse import urlsplit

from fastapi import Request, Response
from fastapi.responses import PlainTextResponse, RedirectResponse

# Nothing from the network, no scripts but the one below /static, no frames.
_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
_COOKIE = "chatledger_token"


def guard(token: str | None) -> Callable[[Request, Any], Coroutine[Any, Any, Response]]:
    """Ask for the token, and add the headers that every answer has."""

    async def guarded(request: Request, call_next: Any) -> Response:
        response: Response
        given = request.query_params.get("token")
        if token is not None and given is not None and hmac.compare_digest(given.encode(), token.encode()):
            response = RedirectResponse(str(request.url.remove_query_params("token")), status_code=303)
            response.set_cookie(_COOKIE, token, httponly=True, samesite="strict")
        elif token is not None and not hmac.compare_digest(request.cookies.get(_COOKIE, "").encode(), token.encode()):
            response = PlainTextResponse("Open the address with ?token=… that was shown at the start.\n", 401)
        else:
            response = await call_next(request)
        for name, value in _HEADERS.items():
            response.headers[name] = value
        return response

    return guarded


class FormGuard:
    """Tells our own forms from those of another site.

    Each form carries a secret that only our pages show, and other sites cannot read those. A browser also says where a
    form comes from: `Sec-Fetch-Site` and `Origin`.
    """

    def __init__(self) -> None:
        self.secret = secrets.token_urlsafe(32)

    def accepts(self, request: Request, fields: Mapping[str, str]) -> bool:
        """Whether a form that was sent is ours."""
        if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return False
        origin = request.headers.get("origin")
        # With `Referrer-Policy: no-referrer`, browsers send "null" with our own forms.
        if origin not in (None, "null") and urlsplit(origin).netloc != request.headers.get("host"):
            return False
        return hmac.compare_digest(fields.get("form_token", "").encode(), self.secret.encode())
