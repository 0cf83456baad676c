"""The project as part of other libraries."""
