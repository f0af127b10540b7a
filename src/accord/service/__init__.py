"""The running system: visits folders, applies plans, undoes them.

The only room that builds the others; the command line and later the console stand on it.
"""
