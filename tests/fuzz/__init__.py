"""Every reader of what others wrote, put through whatever may come: by `scripts/fuzz`, a little in every suite."""
