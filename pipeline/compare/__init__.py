"""Two states of the tables compared: what differs, what it means, and how it is written out."""
