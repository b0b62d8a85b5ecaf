"""Where the cores meet: one call is a leg, a bridge and a model, run by one TaskGroup."""
