"""HTTP API v1: one file a noun; `door` puts them together. Floor 3."""
