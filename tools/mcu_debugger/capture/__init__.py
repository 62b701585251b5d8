"""Captures: what crossed a line, in a file that survives a crash, and everything that is made of one."""
