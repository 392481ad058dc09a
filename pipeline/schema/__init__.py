"""Tables and codes: what each column means, how tables relate, plan against actual. Knows no store."""
