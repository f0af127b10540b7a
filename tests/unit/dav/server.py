"""A DAV server in this process that answers what a test says, for the odd cases."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx2

from accord.groupware.dav.adapter import DavAdapter
from accord.groupware.dav.http import Http, credentials
from accord.groupware.dav.settings import Login, configure

URL = "https://dav.test/"
XMLNS = (
    'xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" '
    'xmlns:A="urn:ietf:params:xml:ns:carddav" xmlns:S="http://calendarserver.org/ns/"'
)

Answer = Callable[[httpx2.Request], httpx2.Response]


class Script(httpx2.BaseTransport):
    """Answer requests by method and path from a table, and remember what was asked."""

    def __init__(self, answers: dict[str, Any] | Answer | None = None) -> None:
        self.answers = answers if answers is not None else {}
        self.asked: list[httpx2.Request] = []

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        # Signing in changes the headers of the same request before it goes out again.
        headers = request.headers.copy()
        content = request.read()
        self.asked.append(
            httpx2.Request(request.method, request.url, headers=headers, content=content)
        )
        if callable(self.answers):
            return self.answers(request)
        answer = self.answers.get(f"{request.method} {request.url.path}")
        if answer is None:
            answer = self.answers.get(request.url.path, httpx2.Response(404))
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        if isinstance(answer, Exception):
            raise answer
        return answer(request) if callable(answer) else fresh(answer)

    @property
    def lines(self) -> list[str]:
        return [f"{each.method} {each.url}" for each in self.asked]


def fresh(answer: httpx2.Response) -> httpx2.Response:
    """Return a response that can be read again."""
    return httpx2.Response(answer.status_code, headers=answer.headers, content=answer.content)


def multistatus(*responses: str, token: str = "") -> httpx2.Response:
    text = "".join(f"<D:response>{each}</D:response>" for each in responses)
    tail = f"<D:sync-token>{token}</D:sync-token>" if token else ""
    return httpx2.Response(207, text=f"<D:multistatus {XMLNS}>{text}{tail}</D:multistatus>")


def found(href: str, props: str) -> str:
    return (
        f"<D:href>{href}</D:href><D:propstat><D:prop>{props}</D:prop>"
        "<D:status>HTTP/1.1 200 OK</D:status></D:propstat>"
    )


def refused(href: str, status: int, inside: str = "") -> str:
    return f"<D:href>{href}</D:href><D:status>HTTP/1.1 {status} X</D:status>{inside}"


def failed(status: int, condition: str = "", **headers: str) -> httpx2.Response:
    body = f"<D:error {XMLNS}><{condition}/></D:error>" if condition else ""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx2.Response(status, text=body, headers=named)


def settings(**more: Any) -> dict[str, Any]:
    return {"url": URL, "user": "alice", "password": "secret", "auth": "basic", **more}


def http_of(answers: Any, **more: Any) -> tuple[Http, httpx2.Auth, Script]:
    script = answers if isinstance(answers, Script) else Script(answers)
    config = configure(settings(**more))
    login = Login(principal="alice", user=config.user, password=config.password)
    return Http(config, script), credentials(login, config.auth), script


def adapter_of(answers: Any, **more: Any) -> tuple[DavAdapter, Script]:
    script = answers if isinstance(answers, Script) else Script(answers)
    return DavAdapter(configure(settings(**more)), script), script
