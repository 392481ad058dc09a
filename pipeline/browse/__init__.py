"""The history of a store in a browser: read-only pages on loopback, and the index they are answered from."""
