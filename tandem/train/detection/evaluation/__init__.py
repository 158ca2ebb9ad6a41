"""How good a detector is: COCO's average precision and its confusion matrix."""
