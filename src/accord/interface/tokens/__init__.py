"""The tokens of CRM.interface: issued to CRM users, checked at the start of every session.

`desk` is the way in; it asks a provider (`hmac`, `command`) and does what all of them need.
"""
