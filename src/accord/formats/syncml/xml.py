"""SyncML as XML: `decode` what a peer sent, `encode` what a peer will take.

Real peers want the name space of the root without a prefix, and every character as itself in
UTF-8. CR stands as written: a parser would make LF of CR LF, but the sizes of large objects
count both, so `decode` keeps CR and `encode` writes it.
"""

from __future__ import annotations

from accord.formats.syncml import read, xmltree
from accord.formats.syncml.errors import Malformed
from accord.formats.syncml.limits import LIMITS, Limits
from accord.formats.syncml.message import Command, Message
from accord.formats.syncml.version import Version
from accord.formats.syncml.write import write, write_command

DECLARATION = b'<?xml version="1.0" encoding="UTF-8"?>'


def decode(data: bytes, limits: Limits = LIMITS) -> Message:
    """Return the message in an XML text.

    Raises Malformed for anything that isn't one SyncML message in UTF-8 within the limits; it
    names the header if that much could be read.
    """
    try:
        root = xmltree.parse(data, limits)
    except Malformed as refusal:
        refusal.header = read.header_of(refusal.partial, limits)
        raise
    return read.read(root, limits)


def encode(message: Message) -> bytes:
    """Return a message as XML.

    Raises Malformed for a character that XML can't hold (see `node.clean`), for data that is no
    text, and for what the message's version doesn't know.
    """
    return DECLARATION + xmltree.write(write(message), message.header.version.namespace)


def measure(command: Command, version: Version) -> int:
    """Return how many bytes a command takes in a message; raise Malformed like `encode`."""
    space = version.namespace
    return len(xmltree.write(write_command(command, version), space, space))
