"""What one process, several processes and many idle links come to; `make scale` prints it."""
