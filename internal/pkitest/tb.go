package pkitest

// TB is what a test offers, so that a program that uses this package is not linked with package testing.
type TB interface {
	Helper()
	Fatalf(format string, args ...any)
	TempDir() string
}

// Test is a PKI that writes into one folder and ends the test when something goes wrong.
type Test struct {
	*PKI
	// Dir is the folder, removed with the test.
	Dir string
	tb  TB
}

// NewTest makes a PKI for a test and writes its root to Dir/root.pem.
func NewTest(tb TB, o Options) *Test {
	tb.Helper()
	pki, err := New(o)
	if err != nil {
		tb.Fatalf("make PKI: %v", err)
	}
	t := &Test{PKI: pki, Dir: tb.TempDir(), tb: tb}
	t.Write(pki.Root, "root")
	return t
}

// Must is for results of PKI's own methods.
func (t *Test) Must(c *Credential, err error) *Credential {
	t.tb.Helper()
	if err != nil {
		t.tb.Fatalf("make credential: %v", err)
	}
	return c
}

// IssueFiles issues r and writes it under name.
func (t *Test) IssueFiles(name string, r Request) (c *Credential, keyFile, chainFile string) {
	t.tb.Helper()
	c = t.Must(t.Issue(r))
	keyFile, chainFile = t.Write(c, name)
	return c, keyFile, chainFile
}

// Write writes c as Dir/name.key and Dir/name.pem.
func (t *Test) Write(c *Credential, name string) (keyFile, chainFile string) {
	t.tb.Helper()
	keyFile, err := c.WriteKey(t.Dir, name)
	if err != nil {
		t.tb.Fatalf("write key: %v", err)
	}
	if chainFile, err = c.WriteCredential(t.Dir, name); err != nil {
		t.tb.Fatalf("write chain: %v", err)
	}
	return keyFile, chainFile
}
