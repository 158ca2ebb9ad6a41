"""What a run's student answered to each validation sample, as pictures."""
