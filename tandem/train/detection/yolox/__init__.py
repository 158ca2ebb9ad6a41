"""YOLOX (Ge et al. 2021, arXiv 2107.08430): network, assignment, loss, written from the paper."""
