"""Texts, rated pairs, labelled texts and queries with documents: by name, from files, from the hub."""
