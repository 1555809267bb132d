"""Policy: what an observation means. Pure: values in, values out, no I/O and no clock."""
