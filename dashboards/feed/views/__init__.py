"""Which files does the feed publish, and how is each made? Snapshot in, bytes out: one module per family of views."""
