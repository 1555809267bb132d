"""Hand pieces of work to a Dask cluster, and do them in its workers."""
