"""What teaches a detector, and how its tokens and classes come to the cells of the neck."""
