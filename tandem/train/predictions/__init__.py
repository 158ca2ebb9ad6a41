"""What a run's student answered to each validation sample, kept beside its report."""
