"""From hits to places: one scale, one sum, neutral ties, and the spans that say why."""
