"""`tandem data …`: check, convert, split, measure and upload datasets."""
