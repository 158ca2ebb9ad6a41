"""A finished model measured on a labelled data set, as a run's report measures its student."""
