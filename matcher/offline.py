"""What keeps a library from fetching anything by itself."""

# DuckDB fetches an extension over the network at first use; json and parquet are built in.
DUCKDB: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}
