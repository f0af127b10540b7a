"""E-mail in and out: `message/rfc822` to Mail and back (RFC 5322, RFC 2045 to 2047, RFC 6532).

`read` a mail at bounded cost, name the `files` that hang on it, `write` one from the fields that a
CRM keeps.
"""

from __future__ import annotations

from accord.formats.mime.mail import files, read, write

__all__ = ["files", "read", "write"]
