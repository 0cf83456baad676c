"""Results as Plotly figures and tables."""
