package pair

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// addressFile keeps the listeners' addresses of a side beside its configuration.
const addressFile = "addresses.json"

func saveAddresses(s Side) error {
	text, err := json.Marshal([]string{s.PartnerAddress, s.APIAddress, s.AdminAddress})
	if err != nil {
		return fmt.Errorf("addresses of %s: %w", s.ID, err)
	}
	if err := os.WriteFile(filepath.Join(s.Dir, addressFile), text, 0o600); err != nil {
		return fmt.Errorf("addresses of %s: %w", s.ID, err)
	}
	return nil
}

// reopen returns two sides that were written before.
func reopen(sides ...Side) (Pair, error) {
	for i := range sides {
		text, err := os.ReadFile(filepath.Join(sides[i].Dir, addressFile))
		if err != nil {
			return Pair{}, fmt.Errorf("addresses of %s: %w", sides[i].ID, err)
		}
		var addresses [3]string
		if err := json.Unmarshal(text, &addresses); err != nil {
			return Pair{}, fmt.Errorf("addresses of %s in %s: %w", sides[i].ID, addressFile, err)
		}
		sides[i].PartnerAddress, sides[i].APIAddress, sides[i].AdminAddress = addresses[0], addresses[1], addresses[2]
	}
	return Pair{KR: sides[0], TW: sides[1]}, nil
}
