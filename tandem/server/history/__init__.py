"""What each epoch measured."""
