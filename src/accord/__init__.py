"""Accord keeps a CRM and people's mailboxes in agreement, by rules."""
