"""Prefect's server, environment and artifacts."""
