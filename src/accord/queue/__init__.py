"""Jobs: which folders are to be visited, and when; each run is done once, and by one worker.

`memory` forgets everything at the end of the process; `durable` survives it and divides the work
among processes and machines. Both are the port `ports.queue`.
"""
