"""exchangelib's items to our items and back, without a word to any server.

`task`, `contact`, `event` and `mail` each have `PROPERTIES` (what to ask a server for), `read`,
`properties` (what to send) and `traits`; `series` tells what becomes of occurrences.
What Exchange has no place for lies beside it (`kept`); `mended` mends what exchangelib misreads.
"""
