package accept

import (
	"errors"
	"net"
	"testing"
)

// scripted answers Accept by one error after the other; nil is a connection.
type scripted struct {
	net.Listener
	errors []error
}

func (s *scripted) Accept() (net.Conn, error) {
	err := s.errors[0]
	s.errors = s.errors[1:]
	if err != nil {
		return nil, err
	}
	return &net.TCPConn{}, nil
}

type passing struct{ error }

func (passing) Temporary() bool { return true }

func TestEachGoesOnUntilTheListenerIsClosedOrFails(t *testing.T) {
	broken := errors.New("broken")
	for _, c := range []struct {
		script []error
		taken  int
		want   error
	}{
		{[]error{nil, passing{errors.New("too many open files")}, nil, net.ErrClosed}, 2, nil},
		{[]error{nil, broken}, 1, broken},
	} {
		taken := 0
		err := Each(&scripted{errors: c.script}, func(net.Conn) { taken++ })
		if !errors.Is(err, c.want) || taken != c.taken {
			t.Errorf("%v: took %d, returned %v", c.script, taken, err)
		}
	}
}
