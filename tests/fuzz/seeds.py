"""Whether tests that roll dice play what everybody plays, or what nobody has played before."""

from __future__ import annotations

import os

FRESH = os.environ.get("ACCORD_FRESH") == "1"
