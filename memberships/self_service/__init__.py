"""Organizations and workspaces that their own administrators run: what the endpoints do, and how it is shown."""
