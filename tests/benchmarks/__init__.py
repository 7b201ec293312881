"""Speed, memory and success, measured: `make bench` prints them. Nothing here is a test."""
