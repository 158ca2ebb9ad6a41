"""Surface B's fine-tuning of language models: not there yet, and every address says so."""
