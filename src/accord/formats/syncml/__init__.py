"""SyncML in and out: the messages of data synchronization 1.0, 1.1 and 1.2, in XML and WBXML.

`media` names the codec of a body, which decodes and encodes a `Message`; nothing here knows
what a session is.
"""

from __future__ import annotations

from accord.formats.syncml.alerts import AlertCode
from accord.formats.syncml.errors import Malformed
from accord.formats.syncml.limits import LIMITS, Limits
from accord.formats.syncml.media import Media, media
from accord.formats.syncml.message import Command, Header, Item, Message
from accord.formats.syncml.node import clean
from accord.formats.syncml.status import StatusCode
from accord.formats.syncml.version import Version

__all__ = [
    "LIMITS",
    "AlertCode",
    "Command",
    "Header",
    "Item",
    "Limits",
    "Malformed",
    "Media",
    "Message",
    "StatusCode",
    "Version",
    "clean",
    "media",
]
