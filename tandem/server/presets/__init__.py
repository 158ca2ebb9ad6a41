"""LoRA presets."""
