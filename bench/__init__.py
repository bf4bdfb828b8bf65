"""Measurements, most against plain DuckDB in the same run: `python -m bench ingest|query|compare|size|tail|plan`."""
