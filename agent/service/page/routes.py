"""What a browser asks of the listener: the pages, their style and script, and the rollback button.

The browser shows the same certificate as any other peer. Since it would show it to a form on somebody else's site
too, a form counts only with a token that this listener gave to this peer.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
import sys
import time
from pathlib import Path
from urllib.parse import parse_qs, quote

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from agent.service.deployments import Deployments
from agent.service.page.wanted import NOT_FOUND, Wanted
from agent.service.peers import Peer
from agent.service.protocol import DeploymentRequest
from agent.service.runner import Runner

RENDER_SECONDS = 20
SAFE_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_STATIC = {"style.css": "text/css", "live.js": "text/javascript"}


class Pages:
    """The pages of one listener."""

    def __init__(self, home: Path, deployments: Deployments, runner: Runner) -> None:
        self._home = home
        self._deployments = deployments
        self._runner = runner
        self._key = secrets.token_bytes(32)
        self._rendering = asyncio.Semaphore(2)

    async def overview(self, request: Request) -> Response:
        return await self._page(request, "")

    async def deployment(self, request: Request) -> Response:
        return await self._page(request, request.path_params["id"])

    async def static(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in _STATIC:
            return Response("there is no such file", 404)
        data = (Path(__file__).parent / "static" / name).read_bytes()
        return Response(data, media_type=_STATIC[name], headers={**SAFE_HEADERS, "Cache-Control": "max-age=3600"})

    async def rollback(self, request: Request) -> Response:
        """The button: a deployment of its own, under an id that is made here; the browser is led to it."""
        peer: Peer = request.state.peer
        form = parse_qs((await request.body())[:10_000].decode("utf-8", "replace"))
        if not hmac.compare_digest(form.get("token", [""])[0].encode(), self._token(peer).encode()):
            return Response("the form is too old; go back, load the page again, and press the button once more", 403)
        slot, to = form.get("slot", [""])[0], form.get("to", [""])[0]
        wanted = DeploymentRequest(command="rollback", slot=slot, to=to)
        name = f"rollback-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{secrets.token_hex(3)}"
        self._deployments.accept(name, msgspec.json.encode(wanted), wanted, peer.name)
        self._runner.wake()
        return RedirectResponse(f"/deployments/{quote(name)}", 303)

    async def _page(self, request: Request, deployment: str) -> Response:
        peer: Peer = request.state.peer
        wanted = Wanted(
            home=str(self._home),
            deployment=deployment,
            token=self._token(peer),
            peer=peer.name,
            may_deploy="deploy" in peer.scopes,
        )
        async with self._rendering:
            status, text = await _render(wanted)
        if status == NOT_FOUND:
            return Response("nobody knows such a deployment here", 404, headers=SAFE_HEADERS)
        if status:
            return Response("the page could not be made; see the listener's own output", 503, headers=SAFE_HEADERS)
        return Response(text, media_type="text/html; charset=utf-8", headers=SAFE_HEADERS)

    def _token(self, peer: Peer) -> str:
        return hmac.digest(self._key, peer.thumbprint.encode(), "sha256").hex()


async def _render(wanted: Wanted) -> tuple[int, bytes]:
    """In a process of its own: what it loads is gone afterwards."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        "-m",
        "agent.service.page.render",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(RENDER_SECONDS):
            text, _ = await process.communicate(msgspec.json.encode(wanted))
    except TimeoutError:
        process.kill()
        await process.wait()
        return 1, b""
    return process.returncode or 0, text
