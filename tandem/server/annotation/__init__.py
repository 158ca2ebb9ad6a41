"""Students at work: annotation jobs, in the same queue as trainings."""
