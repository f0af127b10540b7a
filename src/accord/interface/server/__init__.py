"""CRM.interface itself: a SyncML server over any CRM adapter, for phones and for connectors.

`app` takes requests, `server` answers them, `turn` is one message of a conversation.
"""
