"""SyncML as WBXML, the same messages in fewer bytes: `decode` and `encode` as in `xml`.

Data passes byte by byte. What isn't UTF-8 arrives as bytes, for the item's own sake.
"""

from __future__ import annotations

from accord.formats.syncml import read, wbxml_read, wbxml_write
from accord.formats.syncml.errors import Malformed
from accord.formats.syncml.limits import LIMITS, Limits
from accord.formats.syncml.message import Command, Message
from accord.formats.syncml.version import Version
from accord.formats.syncml.write import write, write_command


def decode(data: bytes, limits: Limits = LIMITS) -> Message:
    """Return the message in a WBXML document.

    Raises Malformed for anything that isn't one SyncML message within the limits; it names the
    header if that much could be read.
    """
    try:
        root = wbxml_read.parse(data, limits)
    except Malformed as refusal:
        refusal.header = read.header_of(refusal.partial, limits)
        raise
    return read.read(root, limits)


def encode(message: Message) -> bytes:
    """Return a message as WBXML 1.2.

    Raises Malformed for a character that XML can't hold, as most peers make XML of WBXML, and
    for what the message's version doesn't know.
    """
    return wbxml_write.write(write(message), message.header.version)


def measure(command: Command, version: Version) -> int:
    """Return how many bytes at most a command takes in a message; raise as `encode` does."""
    return len(wbxml_write.write(write_command(command, version), version))
