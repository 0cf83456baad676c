"""Texts, labelled texts, rated pairs and retrieval sets: by name, from files, from the hub."""
