"""The jobs of the control panel: what the service does by itself beside visits, and when.

`catalogue` names them, `running` does one, `clockwork` has those done that are due.
"""
