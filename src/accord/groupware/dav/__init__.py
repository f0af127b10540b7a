"""CalDAV and CardDAV: calendars, tasks and contacts on any server that speaks the standards.

`build` makes the adapter from settings; read `session` first, then `sync`, `find` and `write`.
"""

from __future__ import annotations

from accord.groupware.dav.adapter import DavAdapter, build
from accord.groupware.dav.session import DavSession
from accord.groupware.dav.settings import SETTINGS

__all__ = ["SETTINGS", "DavAdapter", "DavSession", "build"]
