"""Where socket tables come from: one file a source, all with the same functions."""
