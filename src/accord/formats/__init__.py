"""Codecs between items and the texts of the world: iCalendar, vCard, zones, HTML.

Adapters call these; codecs read and write values only and never touch network or disk.
"""
