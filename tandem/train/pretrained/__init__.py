"""Large models from checkpoint folders: found, checked, fingerprinted, loaded, fed with pixels."""
