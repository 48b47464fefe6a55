package partners

// ReadText gives the text of an entry as Directory.Put would keep it.
func ReadText(kind Kind, text string) (string, error) { return readText(newDocument(kind), text) }
