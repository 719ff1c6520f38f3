"""Queries: what doors read, one file a noun. Floor 1. None of them changes anything."""
