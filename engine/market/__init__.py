"""Money for samples: vendors, and rules that pay them by the scores of their samples."""
