"""A far end that speaks Anthropic's Messages API, from a scenario."""
