"""Speed as ratios: each script measures one claim against a named alternative in the same run."""
