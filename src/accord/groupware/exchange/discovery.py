"""Where a person's mailbox is served, asked of Autodiscover (POX, [MS-OXDSCLI]).

`server` asks once per person, where the settings name no address. Over https only: the login
goes along.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from lxml import etree

from accord.groupware.exchange import wire
from accord.groupware.exchange.http import Http
from accord.groupware.exchange.settings import address
from accord.groupware.exchange.ways import Login
from accord.ports.errors import AccordError, AuthFailed, ConfigError

_REQUEST = "http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006"
_RESPONSE = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"
_PLACES = (
    "https://{domain}/autodiscover/autodiscover.xml",
    "https://autodiscover.{domain}/autodiscover/autodiscover.xml",
)
_HOPS = 5
_WANTED = ("EXPR", "EXCH", "EXHTTP", "WEB")


def discover(http: Http, login: Login, principal: str) -> tuple[str, str]:
    """Return the address of Exchange Web Services for a mailbox, and its grouping information.

    Mailboxes of one address and grouping are near each other; the latter may be empty.

    Raises AuthFailed where a place refuses the login, else ConfigError naming what was tried.
    """
    tried: list[str] = []
    refused: AuthFailed | None = None
    for place in _PLACES:
        url = place.format(domain=principal.rpartition("@")[2].lower())
        try:
            found, grouping = _ask(http, login, principal, url)
        except AuthFailed as error:
            refused = error
        except AccordError as error:
            tried.append(f"{urlsplit(url).hostname}: {error}")
        else:
            return address(found, http.config.where), grouping
    if refused is not None:
        raise refused
    raise ConfigError(
        f"{http.config.where}: Autodiscover tells nothing of {principal}: {'; '.join(tried)}",
        field="url",
        hint="set 'url' to https://HOST/EWS/Exchange.asmx",
        code="autodiscover",
    )


def _ask(http: Http, login: Login, principal: str, url: str) -> tuple[str, str]:
    """Return what one place tells; it may send us to another place or address."""
    mailbox = principal
    for _ in range(_HOPS):
        status, headers, body = http.post(url, login, _question(mailbox), mailbox, "Autodiscover")
        if status in (301, 302, 307, 308):
            url = _secure(headers.get("location", ""))
            continue
        if status == 401:
            raise AuthFailed(f"{urlsplit(url).hostname} refuses login name or password", code="401")
        if status != 200:
            raise ConfigError(f"no Autodiscover there ({status})", field="url", code=str(status))
        root = wire.parse(body)
        if moved := _first(root, "RedirectUrl"):
            url = _secure(moved)
        elif moved := _first(root, "RedirectAddr"):
            mailbox = moved
        elif found := _services(root):
            return found, _first(root, "GroupingInformation")
        else:
            raise ConfigError(_first(root, "Message") or "its answer names no EWS", field="url")
    raise ConfigError("it sends from one place to the next", field="url", code="redirects")


def _question(principal: str) -> bytes:
    root = etree.Element(f"{{{_REQUEST}}}Autodiscover", nsmap={None: _REQUEST})
    asked = etree.SubElement(root, f"{{{_REQUEST}}}Request")
    etree.SubElement(asked, f"{{{_REQUEST}}}EMailAddress").text = wire.legal(principal)
    etree.SubElement(asked, f"{{{_REQUEST}}}AcceptableResponseSchema").text = _RESPONSE
    return etree.tostring(root, xml_declaration=True, encoding="utf-8")


def _services(root: wire.Node) -> str:
    """Return the services' address, from outside rather than from inside the organization."""
    found: dict[str, str] = {}
    for each in wire.children(root, "Response", "Account", "Protocol"):
        url = wire.text_at(each, "EwsUrl") or wire.text_at(each, "ASUrl")
        if url:
            found.setdefault(wire.text_at(each, "Type"), url)
    return next((found[name] for name in _WANTED if name in found), "")


def _first(root: wire.Node, name: str) -> str:
    found = next((e for e in root.iter() if isinstance(e.tag, str) and wire.local(e) == name), None)
    return "" if found is None else (found.text or "").strip()


def _secure(url: str) -> str:
    if urlsplit(url).scheme != "https" or not urlsplit(url).hostname:
        raise ConfigError(f"it sends the login to {url!r:.100}, which isn't https", field="url")
    return url
