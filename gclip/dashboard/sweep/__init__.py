"""The Sweep page: its settings and links, controls, charts, words, and what the browser is sent while it trains."""
