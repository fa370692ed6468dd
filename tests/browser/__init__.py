"""Pages in a real browser: Debian's Chromium, driven by playwright, against a live server."""
