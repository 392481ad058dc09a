"""Tables and codes: what each column means, how tables hang together, plan against actual. Knows no store."""
