"""The runs of docs/results.md and the page made of them."""
