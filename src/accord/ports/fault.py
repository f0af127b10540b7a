"""What nobody expected: an error of Accord itself, kept to the item or the link that it met.

Only the edges catch it: whoever reads one of many items, and whoever visits one of many links.
"""

from __future__ import annotations

import logging
import traceback

from accord.ports.errors import AccordError

_log = logging.getLogger("accord.fault")


class Fault(AccordError):
    """Accord itself is at fault; the log tells where."""

    action = "bug"


def contained(error: Exception, where: str) -> AccordError:
    """Return an error as one that is reported instead of raised; faults go to the log.

    `where` names what it is kept to: a link, or a ref. The log has every line of the way, but
    not the error's own words, which may quote what somebody wrote.
    """
    if isinstance(error, AccordError):
        return error
    name = type(error).__name__
    lines = "".join(traceback.format_tb(error.__traceback__))
    _log.error("fault: %s: %s\n%s", where, name, lines.rstrip())
    return Fault(f"a fault of Accord ({name}); the log tells where", code=name)
