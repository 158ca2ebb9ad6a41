"""Annotation jobs through the service."""
