"""The storm: the running service under load, one fault after another, and what is left of it."""
