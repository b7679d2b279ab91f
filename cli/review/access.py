"""Who may use the page: one browser on this machine, which has opened the printed link.

GET changes nothing. The link's token works once and becomes a cookie. A POST also needs the
page's own origin, and in a header the page's token, which no other site can read or send.
"""

import secrets
from collections.abc import Mapping
from hmac import compare_digest

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PUBLIC = ("/", "/page.css", "/page.js", "/today.js", "/favicon.ico")
EXCHANGE = "/session"
TOKEN_HEADER = "x-whosthere-token"
MOST_BYTES = 65_536
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src blob:; "
    "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
CLOSED = "Open the link that ./whosthere review printed; it works once. For another, run it again."


class Access:
    """The secrets of one run, and what is refused without them."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.token = secrets.token_urlsafe(32)
        self._link = secrets.token_urlsafe(32)
        self._cookie = secrets.token_urlsafe(32)
        # Cookies are shared by all ports of a host.
        self._cookie_name = f"whosthere-{port}"

    @property
    def link(self) -> str:
        """Return the link to print; what follows `#` never leaves the browser as an address."""
        return f"http://127.0.0.1:{self.port}/#token={self._link}"

    def exchange(self, content: Mapping[str, object]) -> JSONResponse:
        """Return the answer to the link's token: the cookie, and the token works no more."""
        given = content.get("token")
        if not (self._link and isinstance(given, str) and _equal(given, self._link)):
            return refusal(401, CLOSED)
        self._link = ""
        answer = JSONResponse({})
        answer.set_cookie(self._cookie_name, self._cookie, httponly=True, samesite="strict")
        return answer

    def refuse(self, request: Request) -> JSONResponse | None:
        """Return the refusal of a request; None if it is to be answered."""
        host = request.headers.get("host", "")
        if host not in {f"{name}:{self.port}" for name in ("127.0.0.1", "localhost", "[::1]")}:
            return refusal(421, "This server answers to its own address on this machine only.")
        path = request.scope["path"]
        if request.method in ("GET", "HEAD") and path in PUBLIC:
            return None
        if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return refusal(403, "Another site asked for this.")
        if path != EXCHANGE and not self._has_cookie(request):
            return refusal(401, CLOSED)
        return self._refuse_post(request, host) if request.method == "POST" else None

    def _has_cookie(self, request: Request) -> bool:
        return _equal(request.cookies.get(self._cookie_name, ""), self._cookie)

    def _refuse_post(self, request: Request, host: str) -> JSONResponse | None:
        headers = request.headers
        if headers.get("origin") != f"http://{host}":
            return refusal(403, "Another site asked for this.")
        length = headers.get("content-length", "")
        if not length.isascii() or not length.isdigit() or int(length) > MOST_BYTES:
            return refusal(413, f"A request has to say its length, at most {MOST_BYTES} bytes.")
        if request.scope["path"] == EXCHANGE or _equal(headers.get(TOKEN_HEADER, ""), self.token):
            return None
        return refusal(403, "The request lacks the page's token. Load the page again.")


def guarded(app: ASGIApp, access: Access) -> ASGIApp:
    """Return the app behind its access rules; every answer has the security headers."""

    async def guard(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        refused = access.refuse(Request(scope)) if scope["type"] == "http" else None
        await (refused or app)(scope, receive, send_with_headers)

    return guard


def refusal(status: int, text: str) -> JSONResponse:
    """Return an answer that the page shows as a sentence."""
    return JSONResponse({"error": text}, status)


def _equal(given: str, wanted: str) -> bool:
    return compare_digest(given.encode(), wanted.encode())
