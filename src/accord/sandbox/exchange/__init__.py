"""A stand-in for an on-premises Exchange server, spoken to over Exchange Web Services.

It shares no code with the adapter that speaks to Exchange, so their mistakes don't cancel out.
"""
