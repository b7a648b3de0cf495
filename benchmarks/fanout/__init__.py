"""Measure watchers of one context: how soon they are told, what they hold, what they are sent."""
