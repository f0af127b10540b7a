"""Who gets which links: templates matched with the CRM's users and groups, as decisions in data.

Nothing here writes; `service.initialize` reads the CRM, asks here, and does it.
"""
