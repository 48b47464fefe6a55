package partners

// NodeKeys are the keys of a NodeConfig, apart from the rest of it.
type NodeKeys struct {
	// Keys takes the place of node.keys.
	Keys []KeyConfig `yaml:"keys"`
	// Issuers take the place of the keys of those of node.issuers that they name.
	Issuers []IssuerKeys `yaml:"issuers"`
}

// IssuerKeys are the keys of one of the node's issuing bodies.
type IssuerKeys struct {
	ID   string      `yaml:"id"`
	Keys []KeyConfig `yaml:"keys"`
}
