"""The agents as one Linux process: one event loop, many serial ports, one Agent each.

Nothing is imported here. Start reading at `gateway`, then `runner`: everything else is one adapter per file.
"""
