"""How runs are shown: settings and links, words, figures, and the live view in the browser."""
