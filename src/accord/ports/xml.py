"""XML that comes from a server: read without entities, network or surprises, within bounds.

Adapters that speak XML over HTTP build their readers on this.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from lxml import etree

from accord.ports.errors import Retry

# Only a declaration, comments and instructions may stand before the root: no document type,
# so no entities whatever the parser thinks of them.
_PROLOG = re.compile(rb"\s*(?:<\?[^>]{0,500}\?>\s*|<!--[^>]{0,2000}-->\s*){0,20}<[A-Za-z_]")
_FAULTS = (etree.XMLSyntaxError, ValueError, LookupError)


def parse(
    body: bytes, most: int, mended: Callable[[bytes], bytes] = lambda body: body
) -> etree._Element:
    """Return the root of an XML text; one that is broken is tried once more as `mended`.

    Raises Retry where it can't be trusted, isn't whole, or has more than `most` tags.
    """
    if not _PROLOG.match(body.removeprefix(b"\xef\xbb\xbf")):
        raise Retry("the answer isn't plain XML", after=60.0, code="not-xml")
    if body.count(b"<") > most:
        raise Retry("the answer has too many parts", after=600.0, code="too-large")
    try:
        return _read(body)
    except _FAULTS as error:
        again = mended(body)
        if again == body:
            raise _broken(error) from error
        try:
            return _read(again)
        except _FAULTS as other:
            raise _broken(other) from other


def _read(body: bytes) -> etree._Element:
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=True,  # bodies and photos are long; there is no document type that could grow
        remove_comments=True,
        remove_pis=True,
    )
    return etree.fromstring(body, parser)


def _broken(error: Exception) -> Retry:
    return Retry(f"the answer is broken XML: {error}", after=15.0, code="bad-xml")
