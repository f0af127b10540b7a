"""What Accord asks of the world, as Protocols; adapters answer."""
