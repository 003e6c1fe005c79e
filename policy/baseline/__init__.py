"""The baseline: findings that were there before the checks, which fail no run until they are mended."""
