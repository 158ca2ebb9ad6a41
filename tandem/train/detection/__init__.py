"""Detection: what every detector shares, our own loop for it, and YOLOX. Nothing of Ultralytics."""
