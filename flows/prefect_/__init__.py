"""Prefect's server, environment, errors, flow runs and artifacts."""
