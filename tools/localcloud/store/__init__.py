"""What the cloud remembers: tables and queries, no HTTP words.

A query runs in the caller's thread and takes about a millisecond on SQLite, so the event loop calls it directly. One
method is one transaction, which makes it atomic for everything that runs on that loop.
"""
