"""Batches of a harvest on a Dask cluster."""
