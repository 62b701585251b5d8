"""The serial debugger: plays either end of a line, listens to both, keeps and explains what crossed it.

Design: players, observer, rules and formats are pure and know nothing of ports and terminals; `session` joins them to
`port`, and whoever looks listens to its events: `console`, `printer`, `ui`.
"""
