"""The round trip of every kind through a test mailbox, as `accord check --mailbox` runs it.

`mailbox` goes step by step, `things` are what it writes, `traces` what it has to take away again.
"""
