"""What must outlast a run: pairings, cursors, intents, pending changes, journal, blobs.

Written by the service alone; SQLite or PostgreSQL through ``db``.
"""
