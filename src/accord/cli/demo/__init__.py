"""`accord demo`: a CRM, three mailboxes on a real server, and a week of changes on both sides.

Everything goes through the code that real use takes; the server is a process of its own.
"""
