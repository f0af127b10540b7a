"""Rules: text in, compiled pure functions out; nothing here touches the world."""
