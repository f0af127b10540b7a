"""Notices to people: by mail, to a webhook and into the log; what is wrong is told once.

`settings` says where to, `causes` what, `mail` and `webhook` send.
"""
