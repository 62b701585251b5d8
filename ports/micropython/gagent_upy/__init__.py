"""The agent on a chip: one loop on select.poll around `gagent.Agent`; no asyncio, no threads."""
