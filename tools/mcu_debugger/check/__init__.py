"""Tests of an MCU over its serial line: `mcu-debugger check`. We are the module. Serial manual, all of it.

Design: `bench` is the module's end in slow motion, `rules_*` are the rules of the manual as functions that try one on a
bench, `profile` reads what is to be tried, `run` tries it, `report` tells the outcome. Only `port_line` does I/O.
"""
