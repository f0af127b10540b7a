"""The stand-in Exchange for the tests of this folder."""

from __future__ import annotations

from tests.unit.sandbox.ews import desk

__all__ = ["desk"]
