"""CRM.interface: the endpoint through which changes enter and leave any CRM, as one of its users.

`tokens` says whom somebody who signs in speaks for.
"""
