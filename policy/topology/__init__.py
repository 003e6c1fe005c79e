"""``policy topology`` and ``policy explain``: the connections of an overlay shown, compared, drafted and written."""
