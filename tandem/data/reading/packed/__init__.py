"""What reads data sets whose items lie packed in other files."""
