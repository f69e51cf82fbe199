"""Images and labels in rows: Parquet files and WebDataset shards."""
