"""The API door: HTTP API v1, metrics. Floor 3: reads with store/queries, writes by one call into appcore."""
