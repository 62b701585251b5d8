"""The hypothesis profile of a mutation run: few examples, the same each time, and no deadline on a busy machine."""

from hypothesis import settings

settings.register_profile("mutation", max_examples=15, derandomize=True, database=None, deadline=None)
