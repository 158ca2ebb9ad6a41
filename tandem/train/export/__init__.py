"""A trained student as files: final_model, ONNX, INT8, and what each of them measures."""
