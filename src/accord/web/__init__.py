"""What Accord serves over HTTP beside CRM.interface: whether it lives, and its figures."""
