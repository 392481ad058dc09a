"""Compare two states of the tables: match rows, find differences, classify them, and format them."""
