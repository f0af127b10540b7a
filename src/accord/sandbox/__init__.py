"""Real servers and stand-ins that trials, tests and the demo connect to, each its own process.

Nothing here imports an adapter and no adapter imports this: shared mistakes would cancel out.
"""
