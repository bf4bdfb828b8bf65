"""Measurements, where it can be against plain DuckDB in the same run: `python -m bench ingest|query|tail|plan`."""
