"""Groupware servers, one folder for each adapter, the same file names in each.

An adapter knows its server and the ports; never another adapter, service or state.
"""
