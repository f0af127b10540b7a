"""Accord keeps a CRM and people's mailboxes in agreement, by rules."""

__version__ = "0.1.0"
