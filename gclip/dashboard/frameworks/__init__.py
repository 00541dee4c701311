"""The Frameworks page: what is typed, which call of which library clips how, and how that is shown and told."""
