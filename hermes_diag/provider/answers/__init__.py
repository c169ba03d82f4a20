"""What a healthy provider says: replies of each API as bytes, kept answers, the bodies of errors. Pure."""
