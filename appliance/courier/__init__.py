"""The process that deals with the world outside the box: it asks the practice's router for the way in."""
