"""Sources of files. Each lists paths and reads them as a Blob, a Skip or a Gap."""
