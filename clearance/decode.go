package clearance

import "github.com/ecogate/ecogate/eco"

// DecodeDeclaration reads a declaration from its JSON form, by the strict rules of eco.DecodeInto. Whether it makes sense is for
// Declaration.Validate.
func DecodeDeclaration(data []byte) (Declaration, error) {
	var d Declaration
	if err := eco.DecodeInto(data, "declaration", &d); err != nil {
		return Declaration{}, err
	}
	return d, nil
}
