package ebms_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ecogate/ecogate/ebms"
)

// pipes is a network without a machine: synctest knows its clock.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), closed: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.IPAddr{} }

func (p *pipes) dial() net.Conn {
	near, far := net.Pipe()
	p.conns <- far
	return near
}

// A large body that comes at a good rate is read to its end, however long it takes; one that trickles is cut.
func TestHandlerGivesTimeToABodyAsItComes(t *testing.T) {
	for _, test := range []struct {
		name         string
		minRate      int64
		chunk, count int // bytes each second, and how often
		serverLimit  time.Duration
		status       int
		after        time.Duration // the answer comes
	}{
		{"trickles, no rate", 0, 1, 1000, 0, 408, 10 * time.Second},
		{"trickles", 1000, 1, 1000, 0, 408, 10 * time.Second}, // and the milliseconds of ten bytes
		{"large and quick, no rate", 0, 2000, 60, 0, 408, 10 * time.Second},
		{"large and quick", 1000, 2000, 60, 0, 204, 59 * time.Second},
		{"large and quick, server with a deadline of its own", 1000, 2000, 60, 20 * time.Second, 204, 59 * time.Second},
		{"half as quick as the rate", 1000, 500, 1000, 0, 408, 20 * time.Second}, // 10 s and half of 20 s
		{"in time", 0, 1, 5, 0, 204, 4 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				network := newPipes()
				server := &http.Server{ReadTimeout: test.serverLimit, WriteTimeout: test.serverLimit, Handler: ebms.Handler(ebms.HandlerOptions{
					Now: time.Now, ReadTimeout: 10 * time.Second, MinRate: test.minRate,
					Receive: func(context.Context, ebms.Request) ebms.Reply { return ebms.Reply{Status: 204} },
				})}
				go func() { _ = server.Serve(network) }()
				conn := network.dial()
				begin := time.Now()
				var sender sync.WaitGroup
				sender.Go(func() {
					fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n", test.chunk*test.count)
					for i := range test.count {
						if i > 0 {
							<-time.After(time.Second)
						}
						if _, err := conn.Write(make([]byte, test.chunk)); err != nil {
							return
						}
					}
				})
				resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if err != nil {
					t.Fatal(err)
				}
				took := time.Since(begin)
				if resp.StatusCode != test.status || took < test.after || took > test.after+time.Second {
					t.Errorf("status %d after %v, want %d after %v", resp.StatusCode, took, test.status, test.after)
				}
				_ = conn.Close()
				_ = server.Close()
				sender.Wait()
				time.Sleep(time.Minute) // of the bubble: the server closes its connections in its own time
			})
		})
	}
}

// hostilePeers are partners that would hold a sender for ever. Each serves one connection; ended says that the test is over.
var hostilePeers = []struct {
	name  string
	serve func(conn net.Conn, ended <-chan struct{})
	// early says that the sender has reason to give up before its time is over.
	early bool
}{
	{"hangs", func(conn net.Conn, _ <-chan struct{}) { _, _ = io.Copy(io.Discard, conn) }, false},
	{"never reads", func(_ net.Conn, ended <-chan struct{}) { <-ended }, false},
	{"trickles the answer", func(conn net.Conn, _ <-chan struct{}) {
		takeRequest(conn)
		repeat(conn, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", "x", true)
	}, false},
	{"trickles the header", func(conn net.Conn, _ <-chan struct{}) {
		takeRequest(conn)
		repeat(conn, "HTTP/1.1 200 OK\r\nX: ", "x", true)
	}, false},
	{"headers without end", func(conn net.Conn, _ <-chan struct{}) {
		takeRequest(conn)
		repeat(conn, "HTTP/1.1 200 OK\r\n", "X: y\r\n", false)
	}, true},
	{"body without end", func(conn net.Conn, _ <-chan struct{}) {
		takeRequest(conn)
		repeat(conn, "HTTP/1.1 200 OK\r\n\r\n", strings.Repeat("x", 1000), false)
	}, true},
	{"continues for ever", func(conn net.Conn, _ <-chan struct{}) {
		takeRequest(conn)
		repeat(conn, "", "HTTP/1.1 100 Continue\r\n\r\n", false)
	}, true},
	{"continues for ever, slowly", func(conn net.Conn, _ <-chan struct{}) {
		takeRequest(conn)
		repeat(conn, "", "HTTP/1.1 100 Continue\r\n\r\n", true)
	}, true},
	{"processing for ever, slowly", func(conn net.Conn, _ <-chan struct{}) {
		takeRequest(conn)
		repeat(conn, "", "HTTP/1.1 102 Processing\r\n\r\n", true)
	}, true},
}

// takeRequest waits for the beginning of a request and reads the rest of it beside what follows: an answer that is there before the
// request is unsolicited, and the client gives up at once.
func takeRequest(conn net.Conn) {
	_, _ = conn.Read(make([]byte, 1))
	go func() { _, _ = io.Copy(io.Discard, conn) }()
}

// repeat writes the beginning and then more, until the connection is closed; slowly means a piece every 20 ms.
func repeat(conn net.Conn, beginning, more string, slowly bool) {
	_, err := io.WriteString(conn, beginning)
	for err == nil {
		if slowly {
			<-time.After(20 * time.Millisecond)
		}
		_, err = io.WriteString(conn, more)
	}
}

// servePeer serves connections until stop is called, which waits for all of them.
func servePeer(listener net.Listener, serve func(net.Conn, <-chan struct{})) (stop func()) {
	var served sync.WaitGroup
	ended, end := context.WithCancel(context.Background())
	served.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			context.AfterFunc(ended, func() { _ = conn.Close() })
			served.Go(func() {
				defer conn.Close()
				serve(conn, ended.Done())
			})
		}
	})
	return func() {
		end()
		_ = listener.Close()
		served.Wait()
	}
}

func TestClientIsHeldNoLongerThanItsLimit(t *testing.T) {
	for _, peer := range hostilePeers {
		t.Run(peer.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				network := newPipes()
				stop := servePeer(network, peer.serve)
				c := ebms.NewClient(ebms.ClientOptions{Timeout: time.Minute, MinRate: 100_000, MaxReply: 10_000})
				c.DialWith(network.dial)
				begin := time.Now()
				_, err := c.Post(t.Context(), ebms.Outgoing{URL: "http://peer.example/", ContentType: "text/xml", Body: ebms.Bytes(make([]byte, 3_000_000))})
				took, limit := time.Since(begin), time.Minute+30*time.Second
				if err == nil || took > limit || !peer.early && (took < limit || !errors.Is(err, context.DeadlineExceeded)) {
					t.Errorf("%v after %v, limit %v", err, took, limit)
				}
				c.CloseIdleConnections()
				stop()
			})
		})
	}
}

// The same over a network of the machine, with its buffers.
func TestClientIsHeldNoLongerThanItsLimitOnANetwork(t *testing.T) {
	for _, peer := range hostilePeers {
		t.Run(peer.name, func(t *testing.T) {
			t.Parallel()
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(servePeer(listener, peer.serve))
			c := client(t, ebms.ClientOptions{Timeout: 200 * time.Millisecond, MaxReply: 10_000})
			begin := time.Now()
			_, err = c.Post(t.Context(), ebms.Outgoing{URL: "http://" + listener.Addr().String(), ContentType: "text/xml", Body: ebms.Bytes(make([]byte, 30_000_000))})
			if took := time.Since(begin); err == nil || took > 10*time.Second {
				t.Errorf("%v after %v", err, took)
			}
		})
	}
}

// A large message to a slow and honest partner has the time that it needs.
func TestClientGivesTimeToALargeBody(t *testing.T) {
	for _, test := range []struct {
		name    string
		minRate int64
		ok      bool
	}{{"no rate", 0, false}, {"slower than the partner", 1000, true}, {"quicker than the partner", 4000, false}} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				network := newPipes()
				server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					for err := error(nil); err == nil; { // 2,000 bytes a second
						<-time.After(time.Second)
						_, err = io.CopyN(io.Discard, r.Body, 2000)
					}
					w.WriteHeader(204)
				})}
				go func() { _ = server.Serve(network) }()
				c := ebms.NewClient(ebms.ClientOptions{Timeout: 10 * time.Second, MinRate: test.minRate})
				c.DialWith(network.dial)
				got, err := c.Post(t.Context(), ebms.Outgoing{URL: "http://peer.example/", ContentType: "text/xml", Body: outside{ebms.Bytes(make([]byte, 100_000))}})
				if (err == nil && got.Status == 204) != test.ok {
					t.Errorf("%d, %v; want it to pass: %v", got.Status, err, test.ok)
				}
				c.CloseIdleConnections()
				_ = server.Close()
				time.Sleep(time.Minute) // of the bubble: as above
			})
		})
	}
}
