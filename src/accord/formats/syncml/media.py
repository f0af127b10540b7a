"""Which codec a SyncML message is in: by the content type that HTTP names.

OMA-TS-SyncML-HTTPBinding-V1_2, section 5.
"""

from __future__ import annotations

from enum import Enum

from accord.formats.syncml import wbxml, xml
from accord.formats.syncml.errors import Malformed
from accord.formats.syncml.limits import LIMITS, Limits
from accord.formats.syncml.message import Command, Message
from accord.formats.syncml.status import StatusCode
from accord.formats.syncml.version import Version


class Media(Enum):
    """Be one of the two codings by its content type; answers keep to that of the question."""

    XML = "application/vnd.syncml+xml"
    WBXML = "application/vnd.syncml+wbxml"

    @property
    def devinf(self) -> str:
        """Return the type (Meta/Type) of device information inside of a message."""
        return self.value.replace("syncml", "syncml-devinf")

    def decode(self, data: bytes, limits: Limits = LIMITS) -> Message:
        """Return the message in a body; raise Malformed as the codecs do."""
        return xml.decode(data, limits) if self is Media.XML else wbxml.decode(data, limits)

    def encode(self, message: Message) -> bytes:
        """Return the body of a message; raise Malformed as the codecs do."""
        return xml.encode(message) if self is Media.XML else wbxml.encode(message)

    def measure(self, command: Command, version: Version) -> int:
        """Return how many bytes a command takes in a message; raise Malformed as the codecs do."""
        if self is Media.XML:
            return xml.measure(command, version)
        return wbxml.measure(command, version)


def media(content_type: str) -> Media:
    """Return the coding that a Content-Type header names, parameters aside.

    Raises Malformed (415) for any other type and any charset but UTF-8.
    """
    name, *params = (part.strip().lower() for part in content_type.split(";"))
    charsets = [value.strip(" \"'") for key, _, value in map(_pair, params) if key == "charset"]
    found = next((each for each in Media if each.value == name), None)
    if found is None or any(charset not in ("utf-8", "utf8", "us-ascii") for charset in charsets):
        raise Malformed(
            f"{content_type[:80]!r} is no type of SyncML in UTF-8",
            prop="Content-Type",
            status=StatusCode.UNSUPPORTED_MEDIA_TYPE_OR_FORMAT,
        )
    return found


def _pair(param: str) -> tuple[str, str, str]:
    key, sign, value = param.partition("=")
    return key.strip(), sign, value
