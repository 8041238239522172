"""The HTTP door: a JSON API made from the vocabulary, events as they happen, and the doors that live below it."""
