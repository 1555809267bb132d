"""Inputs: where bytes come from. Each source lists paths and reads them as Blob, Skip or Gap."""
