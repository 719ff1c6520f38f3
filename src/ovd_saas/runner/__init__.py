"""The runner: one process per machine that starts and stops application processes. No Django, no database."""
