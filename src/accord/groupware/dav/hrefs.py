"""One spelling for the places on a server, so that refs and folder ids can be compared as texts.

Servers percent-encode as they like (`@` and `%40` mean the same); refs keep one form.
"""

from __future__ import annotations

import re
from urllib.parse import quote, unquote_to_bytes, urlsplit

_PLAIN = re.compile(r"/[A-Za-z0-9\-._~!$&'()*+,;=:@/]*").fullmatch
_SAFE = "-._~!$&'()*+,;=:@"
_DEFAULT = {"http": 80, "https": 443}


def origin(url: str) -> str:
    """Return `scheme://host:port` of an address, lower-cased, the default port left out."""
    parts = urlsplit(url)
    scheme, host = parts.scheme.lower(), (parts.hostname or "").lower()
    host = f"[{host}]" if ":" in host else host
    port = parts.port
    return (
        f"{scheme}://{host}"
        if port in (None, _DEFAULT.get(scheme))
        else f"{scheme}://{host}:{port}"
    )


def tidy(path: str) -> str:
    """Return a path with every segment encoded in the one way we compare by."""
    if _PLAIN(path) and "//" not in path and "/." not in path:
        return path
    segments = [quote(unquote_to_bytes(each), safe=_SAFE) for each in path.split("/")]
    kept: list[str] = []
    for each in segments:
        if each == "..":
            kept = kept[:-1]
        elif each not in ("", "."):
            kept.append(each)
    folder = segments[-1] in ("", ".", "..")
    return "/" + "/".join(kept) + ("/" if folder and kept else "")


def ref_of(href: str, base: str, home: str) -> str:
    """Return the ref for an href found in an answer about the ref `base`.

    On the target itself (`home` is its origin) that is the bare path; on another host the
    whole address.
    """
    foreign = "" if base.startswith("/") else origin(base)
    if _PLAIN(href) and "//" not in href and "/." not in href:
        return foreign + href
    if "://" not in href and not href.startswith("//"):
        if not href.startswith("/"):
            href = urlsplit(base).path.rpartition("/")[0] + "/" + href
        return foreign + tidy(href.partition("?")[0])
    parts = urlsplit(href if "://" in href else f"{urlsplit(home).scheme}:{href}")
    where, path = origin(parts.geturl()), tidy(parts.path or "/")
    return path if same_server(where, home) else where + path


def same_server(one: str, home: str) -> bool:
    """Tell whether an origin is the target's, or the same host's with https instead of http."""
    if one == home:
        return True
    return home.startswith("http://") and one == "https://" + home.removeprefix("http://")


def name_of(ref: str) -> str:
    """Return the last segment of a ref, decoded."""
    return unquote_to_bytes(ref.rstrip("/").rpartition("/")[2]).decode("utf-8", "replace")
