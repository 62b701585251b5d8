"""The serial protocol between a communication module and its MCU, both ends, no I/O.

The layers in their order: `frame` (bytes to frames), `link` (requests and acks), `message` (payloads of commands),
`datapoint` (P0 to attributes). Nothing is imported here: on a chip each module is paid for separately.
"""
