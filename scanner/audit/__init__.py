"""Use case: read live stores and judge the age of their secrets."""
