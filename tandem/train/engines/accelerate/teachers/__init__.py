"""Several teachers of one student."""
