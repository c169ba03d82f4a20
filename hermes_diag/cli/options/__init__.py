"""Options that several commands share, with what they mean: said once, worded alike."""
