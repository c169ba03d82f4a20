"""Which fault applies when: to which request, by chance, by a plan on the clock."""
