"""What several tests share: vectors, transcripts, the subset lint, the parts a test may need. Not installed."""
