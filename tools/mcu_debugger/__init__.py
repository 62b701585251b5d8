"""The serial debugger: a simulated MCU and a reader of frames. Design: the pure parts (`simulator`, `view`, `commands`,
`script`, `hexdump`) know nothing of terminals and ports; `console`, `port` and `screen` know nothing of the protocol.
"""
