"""Batches of a harvest, and the replay of stored pages, on a Dask cluster."""
