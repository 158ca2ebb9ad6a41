"""Adapters (LoRA, Hu et al. 2021): of a teacher before it teaches, of a student that learns."""
