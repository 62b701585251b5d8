"""How long a test waits for what must come before it fails: far longer than a busy machine takes, for a limit that is
reached by chance says nothing."""

PATIENCE_S = 60
