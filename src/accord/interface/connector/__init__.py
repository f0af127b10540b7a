"""CRM.interface for connectors: the CRM port itself in SyncML, beside the stores of devices.

`crm/syncml` is the other end; docs/interface.md says what is said in which words.
"""
