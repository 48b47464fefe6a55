package mailtest

import (
	"bufio"
	"fmt"
	"net"
	"strings"
)

// Step is what Postfix asks about (Postfix SMTP access policy delegation).
type Step struct {
	// State is CONNECT, MAIL, RCPT, DATA or END-OF-MESSAGE.
	State, Sender, Recipient string
	// User is who has proved to be one; TLS the protocol of the connection. Both may be empty.
	User, TLS string
}

// Accept goes on.
const Accept = "DUNNO"

// answer answers Postfix's questions until the test ends, and gives the address.
func answer(tb TB, decide func(Step) string) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatalf("policy: %v", err)
	}
	tb.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go converse(conn, decide)
		}
	}()
	return l.Addr().String()
}

// converse answers on one connection: attributes, an empty line, and then an action and an empty line.
func converse(conn net.Conn, decide func(Step) string) {
	defer conn.Close()
	attributes := map[string]string{}
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		name, value, found := strings.Cut(lines.Text(), "=")
		if found {
			attributes[name] = value
			continue
		}
		action := decide(Step{State: attributes["protocol_state"], Sender: attributes["sender"], Recipient: attributes["recipient"],
			User: attributes["sasl_username"], TLS: attributes["encryption_protocol"]})
		if _, err := fmt.Fprintf(conn, "action=%s\n\n", action); err != nil {
			return
		}
		attributes = map[string]string{}
	}
}
