"""Prefect's server, environment, errors, flow runs, artifacts and Secret blocks, and the reporter of a command's harvests."""
