"""The models that were trained to their end."""
