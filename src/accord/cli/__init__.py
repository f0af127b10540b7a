"""The command line: arguments in, words and exit codes out; all it does is done by `service`.

`main` is the entry point, `call` what every command gets, `errors` the wording of failures.
"""
