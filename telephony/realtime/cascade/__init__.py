"""A model made of three services: one hears, one writes, one speaks."""
