"""What the bench raises."""


class BenchError(Exception):
    """Something under measurement did not do its work; the text says what and what was heard of it last."""
