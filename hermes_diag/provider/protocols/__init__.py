"""What is said on the wire, without I/O: HTTP/1.1, HTTP/2, WebSockets. Bytes in, requests out, and back."""
