"""Who may see and change what: the host, the token, the headers of every answer, and proof that a form was ours."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Collection, Coroutine, Mapping
from typing import Any
from urllib.parse import urlsplit

from fastapi import Request, Response
from fastapi.responses import PlainTextResponse, RedirectResponse

# Nothing from the network, no scripts but the one below /static, no frames.
_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": _POLICY,
    # Not "no-referrer": with it, browsers hide the origin of our own forms too.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
"""What every answer has."""


class FormGuard:
    """Tells our own forms from those of another site.

    Each form carries a token that only our pages show, and other sites cannot read those. It is made of a secret of
    this process and of a cookie, so that it is of no use in another browser. A browser also says where a form comes
    from: `Sec-Fetch-Site` or, over plain HTTP from elsewhere, `Origin`.
    """

    _COOKIE = "chatledger_form"

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(32)

    def token(self, request: Request) -> str:
        """The token for the forms of a page."""
        return self._token_for(request.state.browser)

    def accepts(self, request: Request, fields: Mapping[str, str]) -> bool:
        """Whether a form that was sent is ours."""
        site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
        if site is not None:
            is_from_here = site in ("same-origin", "none")  # "none": the person reloads the page
        else:
            is_from_here = origin is None or origin.partition("://")[2] == request.headers.get("host")
        browser = request.cookies.get(self._COOKIE, "")
        given = fields.get("form_token", "").encode()
        return is_from_here and browser != "" and hmac.compare_digest(given, self._token_for(browser).encode())

    def recognize(self, request: Request) -> str | None:
        """Set `request.state.browser`. Return the value of a new cookie for a browser that has none yet."""
        browser = request.cookies.get(self._COOKIE)
        request.state.browser = browser or secrets.token_urlsafe(32)
        return None if browser else request.state.browser

    def remember(self, request: Request, response: Response, browser: str) -> None:
        """Set the cookie."""
        # Lax: with "strict", a link from elsewhere would replace the cookie, and with it the token of every open page.
        response.set_cookie(self._COOKIE, browser, httponly=True, samesite="lax", secure=_is_encrypted(request))

    def _token_for(self, browser: str) -> str:
        return hmac.digest(self._secret, browser.encode(), "sha256").hex()


def guard(
    token: str | None, hosts: Collection[str] | None, forms: FormGuard | None
) -> Callable[[Request, Any], Coroutine[Any, Any, Response]]:
    """Refuse names that are not ours, ask for the token, and add the headers that every answer has."""

    async def guarded(request: Request, call_next: Any) -> Response:
        response = _refusal(request, hosts, token)
        if response is None:
            browser = None if forms is None else forms.recognize(request)
            response = await call_next(request)
            if forms is not None and browser is not None:
                forms.remember(request, response, browser)
        response.headers.update(HEADERS)
        return response

    return guarded


def _refusal(request: Request, hosts: Collection[str] | None, token: str | None) -> Response | None:
    """The answer to a request that does not get further, or None."""
    if hosts is not None and _address(request)[0] not in hosts:
        return PlainTextResponse(f"These pages are at {' or '.join(hosts)} only.\n", 400)
    if token is None:
        return None
    # Cookies belong to a host, whatever the port: each server on this machine has a name of its own.
    cookie = f"chatledger_token_{_address(request)[1] or ''}"
    given = request.query_params.get("token")
    if given is not None and hmac.compare_digest(given.encode(), token.encode()):
        response = RedirectResponse(str(request.url.remove_query_params("token")), status_code=303)
        response.set_cookie(cookie, token, httponly=True, samesite="strict", secure=_is_encrypted(request))
        return response
    if not hmac.compare_digest(request.cookies.get(cookie, "").encode(), token.encode()):
        return PlainTextResponse("Open the address with ?token=… that was shown at the start.\n", 401)
    return None


def _address(request: Request) -> tuple[str | None, int | None]:
    """The name, without the brackets of IPv6, and the port by which the server is asked."""
    try:
        asked = urlsplit(f"//{request.headers.get('host', '')}")
        return asked.hostname, asked.port
    except ValueError:
        return None, None


def _is_encrypted(request: Request) -> bool:
    return request.url.scheme == "https"
