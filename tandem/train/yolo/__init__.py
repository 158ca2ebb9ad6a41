"""Detection with YOLOv8. All that touches Ultralytics (AGPL-3.0, the extra `yolo`) is in here."""
