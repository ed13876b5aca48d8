"""Pretrained networks: which there are, loading them, and running them fast."""
