"""Post JSON to the address that an administrator named; its certificate is checked.

Answers are not read beyond their status, and redirections are not followed.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2

from accord.ports.errors import AccordError, AuthFailed, Rejected, Retry
from accord.ports.http import retry_after
from accord.ports.tls import trusting, untrusted
from accord.service.notices.settings import NotifySettings, secret


def post(
    settings: NotifySettings,
    folder: Path,
    body: dict[str, Any],
    fence: Callable[[], None] = lambda: None,
) -> None:
    """Post one object; raises AccordError where it wasn't taken, and what `fence` raises before."""
    url = settings.address(folder)
    # Whoever knows the whole address may be able to post there.
    host = urlsplit(url).netloc.rpartition("@")[2]
    headers = {"User-Agent": "Accord"}
    if settings.token:
        headers["Authorization"] = f"Bearer {secret(settings.token, 'notify.token', folder)}"
    ca_file = str(folder / settings.ca_file) if settings.ca_file else ""
    context = trusting(ca_file, "notify")
    fence()
    try:
        with (
            httpx2.Client(verify=context, timeout=settings.timeout, trust_env=False) as client,
            client.stream("POST", url, json=body, headers=headers) as reply,
        ):
            status, told = reply.status_code, retry_after(reply.headers)
    except httpx2.HTTPError as error:
        if refused := untrusted(error, host, "the webhook's own authority"):
            raise refused from error
        raise Retry(f"{host}: the webhook can't be reached ({type(error).__name__})") from error
    if not 200 <= status < 300:
        raise _refusal(host, status, told)


def _refusal(host: str, status: int, told: float | None) -> AccordError:
    text = f"{host}: the webhook answers {status}"
    if status in (401, 403):
        return AuthFailed(text, code=str(status))
    if status in (408, 425, 429) or status >= 500:
        return Retry(text, after=told or 300, code=str(status))
    return Rejected(text, code=str(status))
