"""Syslog and GELF sent to a real server: what arrives, from whom, and what bad senders can do."""
