"""What every request passes on its way in and out; plain ASGI, so that streams stay streams."""
