"""What happens on one accepted connection: its requests are read and each of them is answered."""
