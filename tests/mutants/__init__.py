"""Plants faults in the rooms that decide and lists those which no unit test notices."""
