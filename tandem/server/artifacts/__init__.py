"""What a run leaves: its log, its report, its model."""
