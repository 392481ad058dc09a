"""For operators: the status of a store, and notifications."""
