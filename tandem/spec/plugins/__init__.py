"""The plug-ins a spec may name, as the catalog lists them; nothing of them is imported here."""
