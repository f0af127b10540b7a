"""CRM systems, one folder for each adapter, the same file names in each.

An adapter acts as a CRM user and knows its CRM and the ports; never service or state.
"""
