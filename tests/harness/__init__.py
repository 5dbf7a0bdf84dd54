"""What every wire test stands on: servers, connections, links that can be cut, and waiting."""
