"""Order, schedule and command line: Prefect flows around the pipeline."""
