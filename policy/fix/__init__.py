"""Mending what is mechanical: missing fields are written into the source files, and nothing else is changed.

`remedies` says which fields and values, `plan` which file and mapping they belong into, `insertion` writes them between
the lines that are there, `proof` has kustomize render what would become of it, and `apply` puts the files in place.
"""
