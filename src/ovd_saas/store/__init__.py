"""Rows: records, queries, transitions, claims, the journal. Floor 1: may use domain."""
