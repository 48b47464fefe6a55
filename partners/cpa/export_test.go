package cpa

// Paths lists every element and attribute of a CPA: "Status", "Status/@value".
func Paths() []string {
	var list []string
	for name, r := range rules {
		list = append(list, name)
		for _, a := range r.attributes {
			list = append(list, name+"/@"+a.name)
		}
	}
	return list
}
