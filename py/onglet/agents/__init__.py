"""Floor 4: conversations and how they are answered. No screen, no browser."""
