package mailtest

import (
	"fmt"
	"net/smtp"
	"strings"
	"sync"
	"testing"
)

func TestServerDeliversWhatItTookAndAsksAtEachStep(t *testing.T) {
	var steps []string
	var mu sync.Mutex
	s := Start(t, Options{Decide: func(step Step) string {
		mu.Lock()
		defer mu.Unlock()
		steps = append(steps, step.State)
		if step.Recipient == "nobody@"+Domain {
			return "550 5.1.1 no such user"
		}
		return Accept
	}})
	server := fmt.Sprintf("127.0.0.1:%d", s.Port)
	if err := smtp.SendMail(server, nil, "a@b.example", []string{"nobody@" + Domain}, []byte("Subject: no\r\n\r\n")); err == nil || !strings.Contains(err.Error(), "no such user") {
		t.Errorf("refused recipient: %v", err)
	}
	if err := smtp.SendMail(server, nil, "a@b.example", []string{"c@" + Domain}, []byte("Subject: yes\r\n\r\nbody\r\n")); err != nil {
		t.Fatal(err)
	}
	if mails := s.Wait(t, 1); !strings.Contains(mails[0], "Subject: yes") {
		t.Errorf("mail %q", mails[0])
	}
	mu.Lock()
	defer mu.Unlock()
	if got := strings.Join(steps, " "); !strings.HasSuffix(got, "CONNECT MAIL RCPT DATA END-OF-MESSAGE") {
		t.Errorf("steps %s", got)
	}
}
