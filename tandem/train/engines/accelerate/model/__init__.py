"""The student as it is trained: with its projectors, its moving average, its batch norms."""
