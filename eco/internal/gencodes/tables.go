package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// source is one table and the file that it is made of.
type source struct {
	table, title, file, date string
	// deleted is the same list with the codes that were withdrawn; "" if there is none.
	deleted string
}

// sources are the lists of UBL 2.4. The dates are those of the editions; the files give no more.
var sources = []source{
	{"units.txt", "UN/ECE Recommendation 20", "UnitOfMeasureCode-2.4.gc", "2016", "UnitOfMeasureCode-2.4-incl-deleted.gc"},
	{"packages.txt", "UN/ECE Recommendation 21", "PackagingTypeCode-2.4.gc", "2019", "PackagingTypeCode-2.4-incl-deleted.gc"},
	{"modes.txt", "UN/ECE Recommendation 19", "TransportModeCode-2.4.gc", "2018", ""},
}

// tables makes every table, by file name.
func tables(folder string) (map[string]string, error) {
	made := map[string]string{}
	for _, s := range sources {
		text, err := named(folder, s)
		if err != nil {
			return nil, err
		}
		made[s.table] = text
	}
	var err error
	if made["countries.txt"], err = countries(folder); err != nil {
		return nil, err
	}
	if made["currencies.txt"], err = currencies(folder); err != nil {
		return nil, err
	}
	return made, nil
}

// named is a table of codes and names.
func named(folder string, s source) (string, error) {
	version, rows, err := read(folder, s.file)
	if err != nil {
		return "", err
	}
	lines := map[string]string{}
	for _, r := range rows {
		lines[r["code"]] = r["code"] + "\t" + r["name"]
	}
	if s.deleted != "" {
		_, all, err := read(folder, s.deleted)
		if err != nil {
			return "", err
		}
		for _, r := range all {
			if _, active := lines[r["code"]]; !active {
				lines[r["code"]] = r["code"] + "\t" + r["name"] + "\twithdrawn"
			}
		}
	}
	return table(s.title, version, s.date, lines), nil
}

// countries is the table of ISO 3166-1: two letters, three letters, name. The file has one row for each of the two codes,
// which name each other.
func countries(folder string) (string, error) {
	version, rows, err := read(folder, "CountryIdentificationCode-2.4.gc")
	if err != nil {
		return "", err
	}
	lines := map[string]string{}
	for _, r := range rows {
		switch len(r["code"]) {
		case 2:
			lines[r["code"]] = r["code"] + "\t" + r["ref"] + "\t" + r["name"]
		case 3:
		default:
			return "", fmt.Errorf("country %q: want two or three letters", r["code"])
		}
	}
	return table("ISO 3166-1", version, version, lines), nil
}

// currencies is the table of ISO 4217: code, minor units, name. The file has one row for each country that uses a currency.
func currencies(folder string) (string, error) {
	version, rows, err := read(folder, "CurrencyCode-2.4.gc")
	if err != nil {
		return "", err
	}
	lines := map[string]string{}
	for _, r := range rows {
		digits := r["fractionaldigits"]
		if digits == "N.A." {
			digits = "-"
		}
		lines[r["code"]] = r["code"] + "\t" + digits + "\t" + r["name"]
	}
	for _, code := range currencyAmendments.withdrawn {
		if lines[code] == "" {
			return "", fmt.Errorf("currency %s: withdrawn, and was never there", code)
		}
		lines[code] += "\twithdrawn"
	}
	maps.Copy(lines, currencyAmendments.added)
	return table("ISO 4217", version+", amended", currencyAmendments.date, lines), nil
}

func table(title, version, date string, lines map[string]string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# list: %s\n# version: %s\n# date: %s\n", title, version, date)
	for _, code := range slices.Sorted(maps.Keys(lines)) {
		b.WriteString(lines[code] + "\n")
	}
	return b.String()
}
