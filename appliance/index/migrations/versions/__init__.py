"""One file a step, named by number; a step that has shipped is never edited."""
